/**
 * `npm run demo`: four edges, two origins, two tenants. The first origin dies at second 10 and returns at second 20; a
 * live table shows what happens, and a summary says which promises held. Every number is measured; exit code 0 only if
 * all of them held.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pc from "picocolors";
import { loadConfigFile, newConfigVersion } from "../cli/config-file.ts";
import type { StatusReply } from "../src/admin/contract.ts";
import { mintApiKey } from "../src/platform/api-key.ts";
import { type DemoOrigin, startDemoOrigin } from "./demo-origin.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { freePorts } from "./ports.ts";
import { worstExcess } from "./windows.ts";

const EDGES = 4;
const WAN_MS = 40;
const KILL_AT_S = 10;
const REVIVE_AT_S = 20;
const END_AT_S = 42;
/** Requests under way when the origin dies or returns are not held to the state that follows. */
const SETTLE_S = 2;
const TENANTS = {
  acme: { rate: 40, burst: 40, sends: 120 },
  globex: { rate: 40, burst: 40, sends: 20 },
} as const;
type TenantId = keyof typeof TENANTS;
const SECRETS = {
  WEIR_KEY_SECRET: "demo-key-secret-0123456789abcdefghijkl",
  WEIR_ADMIN_TOKEN: "demo-admin-token-0123456789abcdefghijkl",
};

interface Sample {
  readonly tenant: TenantId;
  readonly second: number;
  readonly status: number;
  readonly served: string;
  readonly decidedAtMs: number;
}

function configFile(first: string, second: string): unknown {
  return {
    version: 1,
    origins: {
      shop: { url: first, deadline: "2s", breaker: { probePath: "/health" } },
      account: { url: second, deadline: "2s" },
    },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: Object.fromEntries(
      // The deadline is long, so that a busy machine is not taken for a lost coordinator.
      Object.entries(TENANTS).map(([id, { rate, burst }]) => [
        id,
        { limits: { requests: { rate: `${rate}/s`, burst, deadline: "1s" } } },
      ]),
    ),
    tenants: Object.fromEntries(Object.keys(TENANTS).map((id) => [id, { plan: id }])),
    routes: [
      { id: "catalog", match: { path: "/catalog/*" }, origin: "shop", cache: { staleIfError: "1h" } },
      { id: "account", match: { path: "/account" }, origin: "account" },
      { id: "shop", match: { path: "/*" }, origin: "shop", degraded: { retryAfter: "1s" } },
    ],
  };
}

class Traffic {
  readonly samples: Sample[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #gateway: Gateway;
  readonly #keys: Readonly<Record<TenantId, string>>;
  #sent = 0;

  constructor(gateway: Gateway, keys: Readonly<Record<TenantId, string>>) {
    this.#gateway = gateway;
    this.#keys = keys;
  }

  /** Open loop: `ratePerSecond` of one tenant over all edges and routes, until `endMs`. */
  async run(tenant: TenantId, beganMs: number): Promise<void> {
    const { sends } = TENANTS[tenant];
    const pending = new Set<Promise<void>>();
    let sent = 0;
    for (;;) {
      const elapsedS = (performance.now() - beganMs) / 1_000;
      if (elapsedS >= END_AT_S) break;
      while (sent < elapsedS * sends) {
        sent++;
        const work = this.#send(tenant, elapsedS).finally(() => pending.delete(work));
        pending.add(work);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await Promise.all(pending);
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(tenant: TenantId, second: number): Promise<void> {
    this.#sent++;
    const url = this.#gateway.urls[this.#sent % EDGES] ?? "";
    const path = ["/catalog/boots", "/hello", "/account"][Math.floor(this.#sent / EDGES) % 3] ?? "/";
    return new Promise((resolve) => {
      const note = (status: number, served: string, timing: string): void => {
        const decidedAtMs = Number(/@(\d+)"/.exec(timing)?.[1] ?? 0);
        this.samples.push({ tenant, second, status, served, decidedAtMs });
        resolve();
      };
      const request = httpRequest(url + path, {
        agent: this.#agent,
        timeout: 10_000,
        headers: { authorization: `Bearer ${this.#keys[tenant]}` },
      });
      request.on("response", (response) => {
        response.resume();
        response.on("end", () => {
          note(
            response.statusCode ?? 0,
            String(response.headers["weir-served"] ?? ""),
            String(response.headers["server-timing"] ?? ""),
          );
        });
        response.on("error", () => {
          note(0, "", "");
        });
      });
      request.on("timeout", () => request.destroy());
      request.on("error", () => {
        note(0, "", "");
      });
      request.end();
    });
  }
}

interface Sight {
  readonly second: number;
  readonly state: string;
  readonly outstandingProbes: number;
}

async function breakerOf(url: string): Promise<{ state: string; outstandingProbes: number }> {
  const response = await fetch(`${url}/_weir/api/v1/status`, {
    headers: { authorization: `Bearer ${SECRETS.WEIR_ADMIN_TOKEN}` },
  });
  const status = (await response.json()) as StatusReply;
  return status.origins.find(({ origin }) => origin === "shop") ?? { state: "?", outstandingProbes: 0 };
}

function draw(second: number, samples: readonly Sample[], state: string, event: string, redraw: boolean): number {
  const lines = [
    `second ${String(second).padStart(2)} of ${END_AT_S}   breaker of "shop": ${colour(state)}   ${event}`,
  ];
  for (const tenant of Object.keys(TENANTS) as TenantId[]) {
    const own = samples.filter((sample) => sample.tenant === tenant);
    const last = own.filter((sample) => sample.second >= second - 1);
    const count = (test: (sample: Sample) => boolean): string => String(last.filter(test).length).padStart(4);
    lines.push(
      `  ${tenant.padEnd(7)} admitted ${count((s) => s.decidedAtMs > 0)}/s  throttled ${count((s) => s.status === 429)}/s  ` +
        `served by: origin ${count((s) => s.served === "origin")} cache ${count((s) => s.served === "cache")} stale ${count((s) => s.served === "stale")} page ${count((s) => s.served === "fallback")}`,
    );
  }
  if (redraw) process.stdout.write(`\u001B[${lines.length}A\u001B[J`);
  process.stdout.write(`${lines.join("\n")}\n`);
  return lines.length;
}

function colour(state: string): string {
  if (state === "closed") return pc.green(state);
  return state === "ramp" ? pc.yellow(state) : pc.red(state);
}

interface Promised {
  readonly held: boolean;
  readonly text: string;
}

function judge(samples: readonly Sample[], sights: readonly Sight[], probed: number): Promised[] {
  const promises: Promised[] = [];
  for (const [id, { rate, burst, sends }] of Object.entries(TENANTS)) {
    const own = samples.filter((sample) => sample.tenant === id);
    const admitted = own.filter((sample) => sample.decidedAtMs > 0);
    const over = worstExcess(
      admitted.map((sample) => sample.decidedAtMs),
      rate,
      burst,
    );
    const throttled = own.filter((sample) => sample.status === 429).length;
    promises.push({
      held: over <= 0,
      text: `${id}: at most ${over.toFixed(1)} tokens over its limit in any window (0 or less is right)`,
    });
    if (sends > rate) {
      const share = admitted.length / (burst + rate * END_AT_S);
      promises.push({
        held: share >= 0.95,
        text: `${id}: sent ${own.length}, admitted ${admitted.length}: ${(share * 100).toFixed(1)} % of what its limit allows (95 % or more)`,
      });
    } else
      promises.push({
        held: throttled === 0,
        text: `${id}: sent ${own.length} within its limit, throttled ${throttled} (0)`,
      });
  }
  const dropped = samples.filter((sample) => sample.status === 0).length;
  promises.push({ held: dropped === 0, text: `dropped connections: ${dropped} (0)` });
  const bare = samples.filter((sample) => sample.status >= 500 && sample.served !== "fallback").length;
  promises.push({ held: bare === 0, text: `bare 5xx: ${bare} (0)` });
  const outage = samples.filter((s) => s.second >= KILL_AT_S + SETTLE_S && s.second < REVIVE_AT_S);
  const stale = outage.filter((s) => s.served === "stale").length;
  const pages = outage.filter((s) => s.served === "fallback").length;
  promises.push({
    held: stale > 0 && pages > 0,
    text: `during the outage: ${stale} answered stale, ${pages} with a page (both above 0)`,
  });
  const open = sights.find((sight) => sight.second >= KILL_AT_S && sight.state !== "closed");
  const detected = open === undefined ? Number.NaN : open.second - KILL_AT_S;
  promises.push({
    held: detected <= 1.5,
    text: `breaker open ${detected.toFixed(1)} s after the origin died (1.5 or less)`,
  });
  promises.push({ held: probed <= 1, text: `probes under way at once, at most: ${probed} (1)` });
  const ramp = sights.find(
    (sight) => sight.second >= REVIVE_AT_S && (sight.state === "ramp" || sight.state === "closed"),
  );
  const closed = ramp === undefined ? Number.NaN : ramp.second - REVIVE_AT_S;
  promises.push({
    held: closed <= 10,
    text: `breaker closed ${closed.toFixed(1)} s after the origin returned (10 or less)`,
  });
  const end = samples.filter((s) => s.second >= END_AT_S - 2 && s.status === 200);
  const normal = end.filter((s) => s.served === "origin" || s.served === "cache").length;
  promises.push({
    held: end.length > 0 && normal === end.length,
    text: `in the last two seconds ${normal} of ${end.length} answers came from the origin or fresh from the cache (all)`,
  });
  return promises;
}

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weir-demo-"));
  const port = await freePorts(EDGES + 2);
  let shop: DemoOrigin = await startDemoOrigin({ port: port + EDGES });
  const account = await startDemoOrigin({ port: port + EDGES + 1 });
  const path = join(folder, "weir.jsonc");
  writeFileSync(path, JSON.stringify(configFile(shop.url, account.url)));
  const loaded = await loadConfigFile(path, newConfigVersion());
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const gateway = await startGateway({
    config: loaded.config,
    port,
    edges: EDGES,
    wanMs: WAN_MS,
    stateDir: join(folder, "objects"),
    secrets: SECRETS,
    serverTiming: true,
  });
  console.log(
    `${EDGES} edges at ${gateway.urls[0]} and up, ${WAN_MS} ms from their coordinators; origin "shop" dies at second ${KILL_AT_S} and returns at ${REVIVE_AT_S}.\n`,
  );
  const keyOf = (tenantId: TenantId): Promise<string> =>
    mintApiKey(SECRETS.WEIR_KEY_SECRET, { tenantId, keyId: "0123456789abcdef" });
  const traffic = new Traffic(gateway, { acme: await keyOf("acme"), globex: await keyOf("globex") });
  const sights: Sight[] = [];
  try {
    const beganMs = performance.now();
    const running = Promise.all((Object.keys(TENANTS) as TenantId[]).map((tenant) => traffic.run(tenant, beganMs)));
    let killed = false;
    let revived = false;
    let drawn = -1;
    for (;;) {
      const second = (performance.now() - beganMs) / 1_000;
      if (second >= END_AT_S) break;
      if (!killed && second >= KILL_AT_S) {
        killed = true;
        await shop.stop();
      }
      if (!revived && second >= REVIVE_AT_S) {
        revived = true;
        shop = await startDemoOrigin({ port: shop.port });
      }
      const sight = await breakerOf(gateway.urls[0] ?? "");
      sights.push({ second: (performance.now() - beganMs) / 1_000, ...sight });
      const event = killed && !revived ? pc.red("the origin is dead") : revived ? "the origin is back" : "";
      const step = process.stdout.isTTY ? Math.floor(second) : Math.floor(second / 2);
      if (step > drawn) {
        draw(Math.floor(second), traffic.samples, sight.state, event, process.stdout.isTTY && drawn >= 0);
        drawn = step;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await running;
  } finally {
    traffic.close();
    await gateway.stop();
    await Promise.all([shop.stop(), account.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
  const promises = judge(traffic.samples, sights, Math.max(...sights.map((sight) => sight.outstandingProbes)));
  console.log("");
  for (const { held, text } of promises) console.log(`${held ? pc.green("held") : pc.red("BROKEN")}  ${text}`);
  return promises.every((promise) => promise.held) ? 0 : 1;
}

process.exit(await main());
