/**
 * `weir alerts`, `silences`, `deliveries`, `objectives`, `incidents` and `size` through the real binary, against replies
 * that the API's own contract has checked: what they print, send, and end with.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { alertsReply, silenceBody, silenceView } from "../../src/admin/contract/alerts.ts";
import { demandReply } from "../../src/admin/contract/monitoring.ts";
import { objectivesReply } from "../../src/admin/contract/objectives.ts";
import { json } from "../support/command-line.ts";
import { temporaryFolder } from "../support/gateway.ts";
import { type Finished, run } from "../support/process.ts";

const AT = Date.UTC(2026, 10, 26, 9);
const breaker = {
  fingerprint: "f1",
  kind: "breaker" as const,
  severity: "page" as const,
  state: "firing" as const,
  labels: { origin: "shop" },
  summary: "shop's breaker is open",
  sinceMs: AT,
  firedAtMs: AT,
  resolvedAtMs: null,
  quiet: null,
};
const SILENCE = { id: "s1", match: { origin: "shop" }, untilMs: AT + 3_600_000, reason: "moving", by: "ann" };
const delivery = {
  id: "d1",
  receiver: "ops",
  state: "delivered" as const,
  attempts: 1,
  createdAtMs: AT,
  firstAttemptAtMs: AT,
  nextAttemptAtMs: null,
  lastResult: "204",
  alerts: ["f1"],
};
const ALERTS = alertsReply.parse({
  alerts: [
    breaker,
    { ...breaker, fingerprint: "f2", labels: { origin: "shop", pop: "FRA" }, quiet: { by: "inhibition", id: "f1" } },
    { ...breaker, fingerprint: "f3", state: "resolved", resolvedAtMs: AT + 1 },
  ],
  silences: [SILENCE],
  deliveries: [delivery, { ...delivery, id: "d2", state: "dead", attempts: 12, lastResult: "no answer in time" }],
});
const window = { longMs: 3_600_000, shortMs: 300_000, factor: 14.4, severity: "page" as const };
const OBJECTIVES = objectivesReply.parse({
  objectives: [
    {
      id: "shop-good",
      kind: "good",
      origin: "shop",
      route: null,
      targetRatio: 0.999,
      withinMs: null,
      windowMs: 30 * 86_400_000,
      total: 10_000,
      bad: 20,
      budgetLeftRatio: -1,
      burn: [{ ...window, longBurnRate: 20, shortBurnRate: 30, burning: true, guarded: false }],
      recordedSinceMs: AT,
    },
    {
      id: "fast",
      kind: "latency",
      origin: null,
      route: "catalog",
      targetRatio: 0.99,
      withinMs: 250,
      windowMs: 7 * 86_400_000,
      total: 3,
      bad: 0,
      budgetLeftRatio: 1,
      burn: [{ ...window, longBurnRate: 0, shortBurnRate: 0, burning: false, guarded: true }],
      recordedSinceMs: AT,
    },
  ],
  incidents: [
    {
      origin: "shop",
      pop: null,
      beganAtMs: AT,
      detectedAtMs: AT + 900,
      toldAtMs: AT + 1_400,
      recoveredAtMs: null,
      reason: "quorum",
      byHand: false,
    },
  ],
  means: [{ origin: "shop", incidents: 1, mttdMs: 900, mttrMs: null }],
});

const FILE = {
  version: 1,
  origins: { shop: { url: "https://shop.example", concurrency: 10 } },
  identity: [{ type: "apiKey", header: "x-api-key" }],
  plans: { free: { limits: { requests: { rate: "5/s", burst: 10, failMode: "closed" } } } },
  tenants: { a: { plan: "free" }, b: { plan: "free" }, c: { plan: "free" }, loud: { plan: "free" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "shop" }],
};
const asked = (tenant: string, p99: number, throttled: number) => {
  return { tenant, p50: p99 / 2, p95: p99, p99, peakTokens: 2 * p99, admitted: 900, throttled, meanSeconds: 0.01 };
};
const DEMAND = demandReply.parse({
  fromMs: AT,
  toMs: AT + 3_600_000,
  tenants: [asked("a", 7, 9), asked("b", 6, 5), asked("c", 5, 0), asked("loud", 90, 9_000), asked("made", 6, 0)],
  origins: [{ origin: "shop", p50: 20, p95: 40, p99: 50, concurrencyP99: 1, meanSeconds: 0.01 }],
});
const MADE = {
  tenant: "made",
  source: "api",
  label: "",
  plan: "free",
  settings: {},
  suspended: null,
  createdAtMs: null,
  updatedAtMs: null,
};
const REPLIES: Readonly<Record<string, unknown>> = {
  "GET /alerts": ALERTS,
  "GET /objectives": OBJECTIVES,
  "POST /silences": silenceView.parse(SILENCE),
  "DELETE /silences/s1": { ended: true },
  "POST /deliveries/d2/retry": { found: true },
  "GET /demand?hours=24": DEMAND,
  "GET /configs/in-force": { number: 3, hash: "h", text: `// Ours.\n${JSON.stringify(FILE)}`, pages: {} },
  "GET /tenants/made": MADE,
};

const folder = temporaryFolder();
let server: Server;
let url = "";
let bodies: unknown[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (data: Buffer) => (text += data.toString()));
    request.on("end", () => {
      if (text !== "") bodies.push(JSON.parse(text));
      if (request.url?.startsWith("/_weir/metrics") === true) {
        response.end('weir_bulkhead_refused_total{origin="shop",reason="tenant"} 4\n');
        return;
      }
      const reply = REPLIES[`${request.method} ${(request.url ?? "").replace("/_weir/api/v1", "")}`];
      response.statusCode = reply === undefined ? 404 : 200;
      response.end(JSON.stringify(reply ?? { title: "There is no such thing", status: 404 }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  folder.remove();
});
beforeEach(() => {
  bodies = [];
});

const weir = (...args: string[]): Promise<Finished> =>
  run("cli/weir.ts", args, { WEIR_URL: url, WEIR_TOKEN: "token" }, folder.path);

describe("weir alerts", () => {
  it("lists what fires, what was told and why not, and ends with 3 where it is asked whether something fires", async () => {
    const listed = await weir("alerts");
    expect([listed.code, listed.stderr]).toEqual([0, ""]);
    const rows = listed.stdout.trimEnd().split("\n");
    expect(rows).toHaveLength(4);
    expect(rows[1]).toMatch(
      /^firing +page +breaker +origin=shop +2026-11-26T09:00:00\.000Z +yes +shop's breaker is open$/,
    );
    expect(rows[2]).toMatch(/^firing .* origin=shop pop=FRA .* no: inhibition f1 /);
    const firing = await weir("alerts", "--firing", "--json");
    expect(firing.code).toBe(3);
    expect((json(firing)["alerts"] as unknown[]).length).toBe(2);
    const watched = await weir("alerts", "--watch", "--interval", "1s", "--count", "2", "--json");
    expect(watched.code).toBe(0);
    expect(
      watched.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([{ alerts: ALERTS.alerts }, { alerts: ALERTS.alerts }]);
    expect((await weir("alerts", "--watch", "--interval", "10ms")).code).toBe(2);
  });
});

describe("weir silences and deliveries", () => {
  it("make, list and end silences", async () => {
    const added = await weir(
      "silences",
      "add",
      "--match",
      "origin=shop, kind=breaker",
      "--for",
      "1h",
      "--reason",
      "moving",
    );
    expect([added.code, added.stdout]).toEqual([0, "s1: origin=shop until 2026-11-26T10:00:00.000Z\n"]);
    expect(bodies).toHaveLength(1);
    expect(silenceBody.parse(bodies[0])).toMatchObject({
      match: { origin: "shop", kind: "breaker" },
      forMs: 3_600_000,
      reason: "moving",
    });
    expect((await weir("silences", "list")).stdout).toMatch(/^s1 +origin=shop +\S+ +ann +moving$/m);
    expect(json(await weir("silences", "end", "s1", "--json"))).toEqual({ ended: true });
    expect((await weir("silences", "end", "s9")).code).toBe(1);
    const wrong = ["shop", "=shop", "origin=", ""].map((match) => ["--match", match, "--reason", "x"]);
    const refused = [...wrong, ["--match", "origin=shop"]].map((line) => weir("silences", "add", ...line));
    expect((await Promise.all(refused)).map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
  });

  it("list deliveries, say by 3 that there are dead ones, and try one anew", async () => {
    expect((await weir("deliveries", "list")).stdout.trimEnd().split("\n")).toHaveLength(3);
    const dead = await weir("deliveries", "list", "--dead");
    expect(dead.code).toBe(3);
    expect(dead.stdout).toMatch(/^d2 +ops +dead +12 +\S+ +no answer in time$/m);
    expect(json(await weir("deliveries", "retry", "d2", "--json"))).toEqual({ found: true });
    expect((await weir("deliveries", "retry", "d1")).code).toBe(1);
  });
});

describe("weir objectives and incidents", () => {
  it("say what is left, what burns, and where there is too little traffic to say", async () => {
    const { code, stdout } = await weir("objectives");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^shop-good +origin shop +good +99\.9% +30d +10000 +20 +-100% +20\.0x, page$/m);
    expect(stdout).toMatch(/^fast +route catalog +latency 250ms +99% +7d +3 +0 +100% +too little traffic to say$/m);
    expect(json(await weir("objectives", "--json"))).toEqual({ objectives: OBJECTIVES.objectives });
  });

  it("say when an outage was seen, told and over", async () => {
    const { stdout } = await weir("incidents", "--origin", "shop");
    expect(stdout).toMatch(/^shop +everywhere +\S+ +0\.9s +1\.4s +it lasts +quorum$/m);
    expect(stdout).toContain("shop: 1 in all, seen after 0.9s on average, over after not known yet\n");
    expect(json(await weir("incidents", "--origin", "other", "--json"))).toEqual({ incidents: [], means: [] });
  });
});

describe("weir size", () => {
  it("says what would fit, who is noisy and whom a limit throttles, and writes a patch of that", async () => {
    const sized = await weir("size", "--patch", "sizes.json");
    expect([sized.code, sized.stderr]).toEqual([0, "2 proposal(s) in sizes.json: weir apply --patch sizes.json\n"]);
    expect(sized.stdout).toMatch(/^a +free +3\.5 +7 +7 +14 +1% +9\/s +15 +1 +5\/10 +well-behaved$/m);
    expect(sized.stdout).toMatch(/^loud +free +45 +90 +90 +180 +90\.9% +150\/s +200 +25 +5\/10 +noisy$/m);
    expect(sized.stdout).toMatch(/^made +free .* well-behaved$/m);
    expect(sized.stdout).toMatch(/^shop +20 +40 +50 +1 +0 +5 +10$/m);
    expect(sized.stdout).toContain("throttles who behaves  plans.free.limits.requests: a, b\n");
    expect(JSON.parse(readFileSync(join(folder.path, "sizes.json"), "utf8"))).toEqual({
      plans: { free: { limits: { requests: { rate: "9/s", burst: 15 } } } },
      tenants: { loud: { limits: { requests: { rate: "5/s", burst: 10, failMode: "closed" } } } },
    });
  });

  it("says the same as JSON, how it comes to it with --help, and refuses times it cannot look back", async () => {
    const { findings, proposals, patch, tenants } = json(await weir("size", "--json"));
    expect(findings).toMatchObject([{ kind: "noisy", tenants: ["loud"] }, { kind: "throttles-well-behaved" }]);
    expect(proposals).toHaveLength(2);
    expect(patch).toHaveProperty("tenants.loud");
    expect(tenants).toHaveLength(5);
    expect((await weir("size", "--help")).stdout.replaceAll(/\s+/g, " ")).toContain("Little's law");
    expect((await weir("size", "--hours", "0")).code).toBe(2);
    expect((await weir("size", "--hours", "721")).code).toBe(2);
  });
});
