/**
 * A real Prometheus (Debian's package) scrapes a real gateway with the example of a scrape and the rules in ops/: what it
 * then knows is what was sent, request by request; and it hears of an outage.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { freePorts } from "../../local/ports.ts";
import { yaml } from "../../scripts/ops/yaml.ts";
import { scrapeConfig } from "../../scripts/ops/files.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { ADMIN, configOf, keyFor, SECRETS, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { find, run } from "../support/prometheus.ts";
import { type Outcome, runTraffic } from "../support/traffic.ts";

const PROMTOOL = find("promtool");
const PROMETHEUS = find("prometheus");
const OPS = join(import.meta.dirname, "..", "..", "ops", "prometheus");
const STOP_DEADLINE_MS = 5_000;

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;
let outcomes: Outcome[] = [];

beforeAll(async () => {
  if (PROMETHEUS === undefined || PROMTOOL === undefined) return;
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url, deadline: "1s", concurrency: 5_000 } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: {
      wide: { limits: { requests: { rate: "1000/s", burst: 2000 } } },
      narrow: { limits: { requests: { rate: "1/h", burst: 5 } } },
    },
    tenants: { acme: { plan: "wide" }, small: { plan: "narrow" } },
    routes: [
      { id: "shop", match: { path: "/shop/*" }, origin: "app" },
      { id: "rest", match: { path: "/*" }, origin: "app" },
    ],
    objectives: {
      "app-good": { origin: "app", target: 0.99 },
      "shop-fast": { route: "shop", kind: "latency", within: "250ms", target: 0.95 },
    },
  });
  gateway = await startTestGateway(config, { edges: 2 });
  outcomes = await traffic("acme", "/shop/1", 150);
  outcomes.push(...(await traffic("acme", "/other", 50)), ...(await traffic("small", "/shop/2", 40)));
});
afterAll(async () => {
  folder.remove();
  if (PROMETHEUS === undefined || PROMTOOL === undefined) return;
  await gateway.stop();
  await origin.kill();
});

async function traffic(tenant: string, path: string, count: number): Promise<Outcome[]> {
  const headers = await keyFor(tenant);
  const sent = await runTraffic({
    urls: gateway.urls,
    path: () => path,
    headers,
    ratePerSecond: 200,
    durationMs: (count * 1_000) / 200,
  });
  expect(sent).toHaveLength(count);
  return sent;
}

const withStatus = (status: number): number => outcomes.filter((one) => one.status === status).length;

/** Those of ops/, but for how often, how and where. */
function writeConfig(): string {
  const configFile = join(folder.path, "prometheus.yml");
  copyFileSync(join(OPS, "weir-rules.yml"), join(folder.path, "weir-rules.yml"));
  writeFileSync(join(folder.path, "weir-token"), SECRETS.WEIR_ADMIN_TOKEN);
  const target = new URL(gateway.urls[0] ?? "").host;
  writeFileSync(configFile, yaml(scrapeConfig({ interval: "1s", scheme: "http", target }), ""));
  return configFile;
}

async function startPrometheus(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const port = await freePorts(1);
  const data = join(folder.path, "tsdb");
  mkdirSync(data);
  const args = [
    `--config.file=${writeConfig()}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=warn",
  ];
  const child = spawn(PROMETHEUS ?? "", args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (data: Buffer) => (said += data.toString()));
  const url = `http://127.0.0.1:${port}`;
  await waitUntil("Prometheus is ready", 30_000, async () => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended with ${child.exitCode}:\n${said}`);
    return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true;
  });
  return { child, url };
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const last = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
  await ended;
  clearTimeout(last);
}

describe.skipIf(PROMTOOL === undefined)("promtool", () => {
  it("finds nothing to say about the metrics of a gateway that has served requests", async () => {
    const response = await fetch(`${gateway.urls[1]}/_weir/metrics`, { headers: ADMIN });
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(run(PROMTOOL ?? "", ["check", "metrics"], await response.text())).toEqual({ code: 0, said: "" });
    // It does speak up.
    const wrong = "# HELP weir_wishes x\n# TYPE weir_wishes counter\nweir_wishes 1\n";
    expect(run(PROMTOOL ?? "", ["check", "metrics"], wrong)).toMatchObject({ code: 3 });
  });
});

describe.skipIf(PROMETHEUS === undefined)("a Prometheus that scrapes it every second", () => {
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  beforeAll(async () => {
    prometheus = await startPrometheus();
  });
  afterAll(() => stop(prometheus.child));

  async function query(expr: string): Promise<Record<string, number>> {
    const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { status, data } = (await response.json()) as {
      status: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    expect([expr, status]).toEqual([expr, "success"]);
    return Object.fromEntries(
      data.result.map(({ metric, value }) => [Object.values(metric).join(" "), Number(value[1])]),
    );
  }

  it("knows exactly what was sent: by outcome, by decision, by tenant, in the histogram", async () => {
    await waitUntil("all requests are counted", 20_000, async () => {
      return (await query("sum(weir_requests_total)"))[""] === outcomes.length;
    });
    const [served, throttled] = [withStatus(200), withStatus(429)];
    expect([served, throttled, outcomes.length]).toEqual([205, 35, 240]);
    expect(await query('sum by (outcome) (weir_requests_total{job="weir"}) > 0')).toEqual({
      origin: served,
      throttled,
    });
    expect(await query("sum by (route) (weir_requests_total)")).toEqual({ rest: 50, shop: 190 });
    expect(await query("sum by (decision) (weir_limit_decisions_total)")).toEqual({
      admitted: served,
      throttled,
      shadowed: 0,
    });
    expect(await query('sum by (tenant) (weir_tenant_decisions_total{decision="throttled"}) > 0')).toEqual({
      small: throttled,
    });
    expect(await query('sum(weir_request_duration_seconds_bucket{le="+Inf"})')).toEqual({ "": outcomes.length });
    expect(await query('sum by (route) (weir_good_requests_total{within="+Inf"})')).toEqual({ rest: 50, shop: 155 });
    expect(await query('sum by (state) (weir_breaker_state{origin="app"}) > 0')).toEqual({ closed: 1 });
    expect(await query("sum by (source) (weir_scrape_source_up)")).toEqual({ metrics: 1, monitor: 1, "origin:app": 1 });
    expect(await query("max(weir_scrape_errors)")).toEqual({ "": 0 });
  });

  it("can evaluate every rule of ops/", async () => {
    interface Reply {
      readonly data: {
        readonly groups: readonly { readonly rules: readonly { health: string; lastError?: string }[] }[];
      };
    }
    await waitUntil("every rule was evaluated", 20_000, async () => {
      const reply = (await (await fetch(`${prometheus.url}/api/v1/rules`)).json()) as Reply;
      const rules = reply.data.groups.flatMap((group) => group.rules);
      expect(rules.filter(({ health }) => health === "err")).toEqual([]);
      return rules.length > 30 && rules.every(({ health }) => health === "ok");
    });
  });

  it("raises the alert when an origin dies, with the transition that Weir counted", async () => {
    origin.mode = "reset";
    const headers = await keyFor("acme");
    const ends = new AbortController();
    const running = runTraffic({
      urls: gateway.urls,
      path: () => "/shop/1",
      headers,
      ratePerSecond: 60,
      durationMs: 25_000,
      signal: ends.signal,
    });
    try {
      await waitUntil("WeirBreakerOpen fires", 25_000, async () => {
        return (
          (await query('count by (origin) (ALERTS{alertname="WeirBreakerOpen",alertstate="firing"})'))["app"] === 1
        );
      });
    } finally {
      ends.abort();
      await running;
    }
    const opened = await query('sum(weir_breaker_transitions_total{origin="app",from="closed",to="open"})');
    expect(opened).toEqual({ "": 1 });
    expect((await query('sum(ALERTS{alertname="WeirWatchdog",alertstate="firing"})'))[""]).toBe(1);
  });
});
