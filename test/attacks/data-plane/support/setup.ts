/** One gateway, with an origin, for all attacks: each has its own paths, and its own origin where it breaks something. */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { freePorts } from "../../../../local/ports.ts";
import { configOf, keyFor, SECRETS, startTestGateway, temporaryFolder } from "../../../support/gateway.ts";
import { startOrigin } from "./origin.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly attacked: Attacked;
  }
}

export interface Attacked {
  readonly url: string;
  readonly port: number;
  readonly originUrl: string;
  /** Of the runtime. */
  readonly pid: number;
  /** API keys. */
  readonly acme: string;
  readonly globex: string;
  readonly nobody: string;
  readonly adminToken: string;
  readonly stateDir: string;
  /** File of the lines that the gateway wrote on its log, of every request. */
  readonly log: string;
}

const CACHED = { ttl: "1m", negativeTtl: "1m", staleIfError: "1h" };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = temporaryFolder();
  const origin = await startOrigin();
  const port = await freePorts(1);
  const to = { url: origin.url, deadline: "1s", retry: { attempts: 1 } };
  const config = await configOf(folder.path, {
    version: 1,
    origins: {
      app: { ...to, deadline: "10s" },
      uploads: { ...to, breaker: { earlyAge: "100ms", tripScore: 5 } },
      failing: { ...to, breaker: { tripScore: 1_000 } },
    },
    identity: [
      { type: "apiKey", header: "x-api-key" },
      { type: "anonymous", plan: "open" },
    ],
    plans: { open: { limits: { requests: { rate: "100000/s", burst: 1_000_000 } } } },
    tenants: { acme: { plan: "open" }, globex: { plan: "open" }, anonymous: { plan: "open" } },
    routes: [
      {
        id: "limited",
        match: { path: "/limited/*" },
        origin: "app",
        limits: { tight: { rate: "1/h", burst: 5 } },
      },
      {
        id: "late",
        match: { path: "/late/*" },
        origin: "app",
        limits: { dear: { rate: "1/h", burst: 1_000 } },
        lateCost: { header: "x-cost", max: 10 },
      },
      { id: "own", match: { path: "/own/*" }, origin: "app", cache: { ...CACHED, scope: "tenant" } },
      { id: "shared", match: { path: "/shared/*" }, origin: "app", cache: CACHED },
      { id: "account", match: { path: "/account/*" }, origin: "app", cache: CACHED },
      { id: "poisoned", match: { path: "/poisoned/*" }, origin: "failing", cache: CACHED },
      { id: "uploads", match: { path: "/uploads/*" }, origin: "uploads" },
      { id: "plain", match: { path: "/*" }, origin: "app" },
    ],
    logs: { sample: 1 },
  });
  const log = join(folder.path, "log.jsonl");
  writeFileSync(log, "");
  const gateway = await startTestGateway(config, {
    port,
    stateDir: folder.path,
    onLog: (_level, line) => {
      appendFileSync(log, `${line}\n`);
    },
  });
  const keyOf = async (tenant: string): Promise<string> =>
    ((await keyFor(tenant))["authorization"] ?? "").slice("Bearer ".length);
  project.provide("attacked", {
    url: gateway.urls[0] ?? "",
    port,
    originUrl: origin.url,
    pid: gateway.pid ?? 0,
    acme: await keyOf("acme"),
    globex: await keyOf("globex"),
    nobody: await keyOf("nobody"),
    adminToken: SECRETS.WEIR_ADMIN_TOKEN,
    stateDir: folder.path,
    log,
  });
  return async () => {
    await gateway.stop();
    origin.server.closeAllConnections();
    origin.server.close();
    folder.remove();
  };
}
