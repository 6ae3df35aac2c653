/** `weir explain`, `top` and `tail` through the real binary, against a real gateway under traffic. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { ExplainReply, TailedDecision } from "../../src/admin/contract.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { commandLine, json, noteGateway, stateOf } from "../support/command-line.ts";
import { ADMIN, configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Finished } from "../support/process.ts";
import { send } from "../support/traffic.ts";

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;
let traffic: ReturnType<typeof setInterval>;
let acme: Record<string, string>;
let small: Record<string, string>;

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: {
      pro: { limits: { requests: { rate: "1000/s", burst: 1_000 } } },
      tiny: { limits: { requests: { rate: "1/h", burst: 1 } } },
    },
    tenants: { acme: { plan: "pro" }, small: { plan: "tiny" } },
    routes: [
      { id: "shop", match: { path: "/shop/*" }, origin: "app" },
      { id: "all", match: { path: "/*" }, origin: "app" },
    ],
  });
  gateway = await startTestGateway(config, { stateDir: join(folder.path, "objects") });
  noteGateway(folder.path, gateway.urls[0]);
  [acme, small] = [await keyFor("acme"), await keyFor("small")];
  traffic = setInterval(() => {
    void send(undefined, `${gateway.urls[0]}/shop/1?token=hidden`, { headers: acme });
    void send(undefined, `${gateway.urls[0]}/other/1`, { headers: small });
    void send(undefined, `${gateway.urls[0]}/shop/2`, { headers: small });
  }, 100);
});
afterAll(async () => {
  clearInterval(traffic);
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

const state = (): string[] => ["--state", stateOf(folder.path)];
const weir = commandLine(folder.path);
const lines = ({ stdout }: Finished): TailedDecision[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TailedDecision);

describe("weir tail", () => {
  it("shows a throttled tenant's refusals within seconds of its start, and nothing of others", async () => {
    const began = Date.now();
    const first = await new Promise<{ line: string; afterMs: number; code: number | null }>((resolve, reject) => {
      const args = ["cli/weir.ts", "tail", "--tenant", "small", "--status", "429", "--json", ...state()];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
      let seen = "";
      let afterMs = 0;
      child.stdout.on("data", (data: Buffer) => {
        if (seen === "") {
          afterMs = Date.now() - began;
          // Once: a second Ctrl-C, while it ends, is a kill.
          child.kill("SIGINT");
        }
        seen += data.toString();
      });
      child.on("error", reject);
      child.on("close", (code) => {
        resolve({ line: seen, afterMs, code });
      });
    });
    // Ctrl-C is how it ends: no failure.
    expect(first.code).toBe(0);
    expect(first.afterMs).toBeLessThan(5_000);
    for (const decision of lines({ stdout: first.line, stderr: "", code: 0 })) {
      expect(decision).toMatchObject({ tenant: "small", status: 429, outcome: "throttled", violated: ["requests"] });
    }
  });

  it("filters by route and outcome, ends after --count, and does not show the query", async () => {
    const admitted = await weir("tail", "--route", "shop", "--outcome", "origin", "--count", "3", "--json");
    expect(admitted.code).toBe(0);
    expect(lines(admitted)).toHaveLength(3);
    for (const decision of lines(admitted)) {
      expect(decision).toMatchObject({ tenant: "acme", route: "shop", path: "/shop/1", status: 200, served: "origin" });
      expect(decision.requestId).toMatch(/^[0-9a-f]{24}$/);
    }
    expect(admitted.stdout).not.toContain("hidden");
    const text = await weir("tail", "--tenant", "small", "--count", "4");
    expect(text.stdout).toMatch(/^\S+ 429 throttled small +(shop|all) +GET +\/\S+ \d+ms requests [0-9a-f]{24}$/m);
    expect(text.stdout).not.toContain("\u001B");
  });

  it("refuses a filter that can match nothing", async () => {
    expect((await weir("tail", "--status", "4x")).code).toBe(2);
    expect((await weir("tail", "--outcome", "fine")).code).toBe(2);
    expect((await weir("tail", "--count", "0")).code).toBe(2);
  });

  it("shows a token of some tenants their decisions alone", async () => {
    const { stdout } = await weir("tokens", "create", "acme only", "--role", "reader", "--tenants", "acme");
    const headers = { authorization: `Bearer ${stdout.trim()}` };
    const url = `${gateway.urls[0]}/_weir/api/v1/tail?listener=abcdefgh`;
    expect((await send(undefined, `${url}&tenant=small`, { headers })).status).toBe(403);
    let after = 0;
    const seen = new Set<string | null>();
    await waitUntil("decisions come", 8_000, async () => {
      const { body } = await send(undefined, `${url}&after=${after}`, { headers });
      const reply = JSON.parse(body) as { decisions: TailedDecision[]; next: number };
      after = reply.next;
      for (const { tenant } of reply.decisions) seen.add(tenant);
      return seen.size > 0;
    });
    expect([...seen]).toEqual(["acme"]);
  });
});

describe("weir top", () => {
  it("prints one JSON object a line, with what was admitted and throttled meanwhile", async () => {
    const top = await weir("top", "--by", "throttled", "--interval", "2s", "--once", "--json");
    expect(top.code).toBe(0);
    const { tenants, routes, breakers, intervalMs } = JSON.parse(top.stdout) as {
      tenants: Record<string, unknown>[];
      routes: { route: string }[];
      breakers: unknown[];
      intervalMs: number;
    };
    expect(intervalMs).toBeGreaterThanOrEqual(1_900);
    expect(tenants.map(({ tenant }) => tenant)).toEqual(["small", "acme"]);
    expect(Number(tenants[0]?.["throttled"])).toBeGreaterThan(0);
    expect(tenants[0]).toMatchObject({ admitted: 0, remainingTokens: 0, capacityTokens: 1 });
    expect(Number(tenants[1]?.["perSecond"])).toBeGreaterThan(1);
    expect(routes.map(({ route }) => route).toSorted()).toEqual(["all", "shop"]);
    expect(breakers).toEqual([{ origin: "app", state: "closed", score: 0 }]);
  });

  it("prints tables where there is no terminal, and refuses what it cannot do", async () => {
    const top = await weir("top", "--interval", "1s", "--count", "2");
    expect(top.code).toBe(0);
    expect(top.stdout.match(/^TENANT +ADMITTED +THROTTLED +PER SECOND +FREE +OF$/gm)).toHaveLength(2);
    expect(top.stdout).not.toContain("\u001B");
    expect((await weir("top", "--by", "luck")).code).toBe(2);
    expect((await weir("top", "--interval", "10ms")).code).toBe(2);
  });
});

describe("weir alerts, silences, deliveries, objectives, incidents and size", () => {
  it("ask the gateway's own Monitor object, and change its silences", async () => {
    const silence = ["silences", "add", "--match", "origin=app", "--for", "1h", "--reason", "moving", "--json"];
    const [alerts, objectives, incidents, deliveries, sized, added, unknown] = await Promise.all([
      weir("alerts", "--json"),
      weir("objectives"),
      weir("incidents", "--json"),
      weir("deliveries", "list", "--json"),
      weir("size", "--json"),
      weir(...silence),
      weir("deliveries", "retry", "0123456789abcdef"),
    ]);
    expect(alerts.code).toBe(0);
    expect(Array.isArray(json(alerts)["alerts"])).toBe(true);
    expect(objectives).toMatchObject({ code: 0, stdout: "the config has no objectives\n" });
    expect(json(incidents)).toEqual({ incidents: [], means: [] });
    expect(json(deliveries)).toEqual({ deliveries: [] });
    // This gateway was started with a config, and not with its file.
    expect(sized.code).toBe(1);
    expect(sized.stderr).toContain("has no text to size");
    expect(unknown).toMatchObject({ code: 1 });
    const { id } = json(added) as { id: string };
    expect(json(await weir("silences", "list", "--json"))["silences"]).toMatchObject([
      { id, match: { origin: "app" }, reason: "moving" },
    ]);
    expect((await weir("silences", "end", id)).stdout).toBe(`silence ${id} has ended\n`);
    expect(json(await weir("silences", "list", "--json"))).toEqual({ silences: [] });
  });
});

describe("weir explain", () => {
  it("says stage by stage what would become of a request", async () => {
    const explained = await weir(
      "explain",
      "GET",
      "/shop/1?q=1",
      "--tenant",
      "acme",
      "-H",
      "Cookie: secret=1",
      "--json",
    );
    expect(explained.code).toBe(0);
    const { steps, predicted, calls } = JSON.parse(explained.stdout) as ExplainReply;
    expect(steps.map(({ stage }) => stage).slice(0, 4)).toEqual(["ingress", "rollout", "route", "identify"]);
    expect(predicted).toMatchObject({ status: null, served: "origin" });
    expect(calls[0]?.url).toBe(`${origin.url}/shop/1?q=1`);
    expect(explained.stdout).not.toContain("secret=1");
  });

  it("is readable, and takes the key from a file", async () => {
    const file = join(folder.path, "key.txt");
    const key = (small["authorization"] ?? "").replace("Bearer ", "");
    writeFileSync(file, `${key}\n`);
    const explained = await weir(
      "explain",
      "POST",
      `${gateway.urls[0]}/shop/1`,
      "--key-file",
      file,
      "--address",
      "192.0.2.1",
    );
    expect([explained.code, explained.stderr]).toEqual([0, ""]);
    expect(explained.stdout).toMatch(/^route +matched +The first that matches is "shop" +routes\[0\]\.match$/m);
    expect(explained.stdout).toMatch(/^admit +throttled .* plans\.tiny\.limits\.requests$/m);
    expect(explained.stdout).toMatch(/^requests +0 +1 +\d+ s +enforce +plans\.tiny\.limits\.requests$/m);
    expect(explained.stdout).toMatch(/^Answer: 429 \(limited\)$/m);
    expect(explained.stdout).not.toContain(key);
  });

  it("refuses a header without a name, and says so for a tenant that there is none of", async () => {
    expect((await weir("explain", "GET", "/", "-H", "nothing")).code).toBe(2);
    expect((await weir("explain", "GET", "/", "--config", "other")).code).toBe(2);
    expect((await weir("explain", "GET", "/", "--tenant", "nobody")).stderr).toContain('Unknown tenant "nobody"');
    expect((await send(undefined, `${gateway.urls[0]}/_weir/api/v1/explain`, { headers: ADMIN })).status).toBe(404);
  });
});
