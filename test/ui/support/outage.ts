/**
 * What the admin API would say in the middle of an outage: one origin open, tenants throttled, budgets burning. Typed by
 * the contract, so that a field that changes there does not compile here. For what a test cannot wait for, as an hour's
 * points, or fifty routes.
 */
import type { Page } from "playwright-core";
import {
  type AlertsReply,
  LATENCY_BOUNDS_SECONDS,
  type LiveTick,
  type ObjectivesReply,
  type SeriesReply,
} from "../../../src/admin/contract.ts";

const MINUTE_MS = 60_000;
const BURNS = [
  [3_600_000, 300_000, 14.4, "page"],
  [21_600_000, 1_800_000, 6, "page"],
  [86_400_000, 7_200_000, 3, "ticket"],
  [259_200_000, 21_600_000, 1, "ticket"],
] as const;

/** Something between -1 and 1 that is the same each time. */
const wave = (seed: number): number => Math.sin(seed * 12.9898) * Math.cos(seed * 0.173);

function buckets(total: number): number[] {
  const shares = [0, 0.01, 0.04, 0.15, 0.3, 0.25, 0.12, 0.07, 0.03, 0.02, 0.005, 0.003, 0.001, 0.001];
  return [...LATENCY_BOUNDS_SECONDS, 0].map((_, index) => Math.round(total * (shares[index] ?? 0)));
}

function pointOf(fromMs: number, toMs: number, routes: number, failing: boolean): LiveTick["point"] {
  const seconds = (toMs - fromMs) / 1_000;
  const of = (route: number): LiveTick["point"]["routes"][string] => {
    const asked = seconds * (120 / (route + 1)) * (1 + 0.25 * wave(fromMs / 1_000 + route * 7));
    const broken = failing && route % 2 === 0;
    const share = (ratio: number): number => Math.max(0, Math.round(asked * ratio));
    return {
      outcomes: broken
        ? { cache: share(0.2), stale: share(0.45), snapshot: share(0.1), fallback: share(0.2), error: share(0.01) }
        : { origin: share(0.72), cache: share(0.2), throttled: share(0.06), refused: share(0.02) },
      buckets: buckets(asked),
      goodBuckets: buckets(asked * 0.9),
      durationSecondsSum: asked * 0.04,
    };
  };
  const tenants = {
    acme: { admitted: Math.round(seconds * 90), throttled: Math.round(seconds * 2), shadowed: 0 },
    globex: { admitted: Math.round(seconds * 5), throttled: Math.round(seconds * 31), shadowed: 0 },
    initech: { admitted: Math.round(seconds * 12), throttled: 0, shadowed: Math.round(seconds * 4) },
    other: { admitted: Math.round(seconds * 40), throttled: Math.round(seconds * 1), shadowed: 0 },
  };
  const names = Array.from({ length: routes }, (_, route) => ROUTES[route] ?? `route-${route}`);
  return { fromMs, toMs, routes: Object.fromEntries(names.map((name, route) => [name, of(route)])), tenants };
}

export const ROUTES = ["catalog", "orders", "all"];

export function tickAt(atMs: number, routes = ROUTES.length, lengthMs = 1_000): LiveTick {
  return {
    v: 1,
    atMs,
    point: pointOf(atMs - lengthMs, atMs, routes, true),
    breakers: [
      { origin: "shop", state: "open", score: 20, forced: false },
      { origin: "search", state: "closed", score: 3, forced: false },
    ],
    firing: 2,
    edges: 37,
  };
}

function seriesOf(url: URL): SeriesReply {
  const number = (name: string): number => Number(url.searchParams.get(name));
  const [fromMs, toMs, stepMs] = [number("fromMs"), number("toMs"), number("stepMs")];
  const points: SeriesReply["points"][number][] = [];
  for (let at = fromMs; at < toMs; at += stepMs) {
    points.push(pointOf(at, at + stepMs, ROUTES.length, at > toMs - 12 * MINUTE_MS));
  }
  return { bounds: LATENCY_BOUNDS_SECONDS, points };
}

function objectivesOf(nowMs: number): ObjectivesReply {
  const burnOf = (rate: number) =>
    BURNS.map(([longMs, shortMs, factor, severity]) => ({
      longMs,
      shortMs,
      factor,
      severity,
      longBurnRate: rate / (longMs / 3_600_000),
      shortBurnRate: rate,
      burning: rate / (longMs / 3_600_000) > factor,
      guarded: longMs > 86_400_000,
    }));
  const shared = { targetRatio: 0.999, windowMs: 30 * 86_400_000, recordedSinceMs: nowMs - 86_400_000 };
  return {
    objectives: [
      {
        ...shared,
        id: "shop-answers",
        kind: "good-or-degraded",
        origin: "shop",
        route: null,
        withinMs: null,
        total: 4_210_337,
        bad: 3_011,
        budgetLeftRatio: 0.285,
        burn: burnOf(22.4),
      },
      {
        ...shared,
        id: "search-fast",
        kind: "latency",
        origin: null,
        route: "search",
        withinMs: 250,
        total: 90_122,
        bad: 12,
        budgetLeftRatio: 0.86,
        burn: burnOf(0.3),
      },
    ],
    incidents: [
      {
        origin: "shop",
        pop: null,
        beganAtMs: nowMs - 7 * MINUTE_MS,
        detectedAtMs: nowMs - 7 * MINUTE_MS + 1_100,
        toldAtMs: nowMs - 7 * MINUTE_MS + 1_900,
        recoveredAtMs: null,
        reason: "failing: refused",
        byHand: false,
      },
      {
        origin: "search",
        pop: "FRA",
        beganAtMs: nowMs - 300 * MINUTE_MS,
        detectedAtMs: nowMs - 300 * MINUTE_MS + 900,
        toldAtMs: nowMs - 300 * MINUTE_MS + 1_500,
        recoveredAtMs: nowMs - 291 * MINUTE_MS,
        reason: "failing: timeout",
        byHand: false,
      },
    ],
    means: [{ origin: "search", incidents: 1, mttdMs: 900, mttrMs: 540_000 }],
  };
}

function alertsOf(nowMs: number): AlertsReply {
  const since = nowMs - 6 * MINUTE_MS;
  const shared = { state: "firing" as const, sinceMs: since, firedAtMs: since, resolvedAtMs: null, quiet: null };
  return {
    alerts: [
      {
        ...shared,
        fingerprint: "breaker:shop",
        kind: "breaker",
        severity: "page",
        labels: { origin: "shop" },
        summary: "The breaker of shop is open",
      },
      {
        ...shared,
        fingerprint: "burn:shop-answers:1h",
        kind: "burn",
        severity: "page",
        labels: { objective: "shop-answers" },
        summary: "shop-answers burns its budget 22 times as fast as it may",
      },
      {
        ...shared,
        fingerprint: "spike:globex",
        kind: "throttle-spike",
        severity: "info",
        state: "resolved",
        labels: { tenant: "globex" },
        summary: "globex is throttled for 86 % of its requests",
        resolvedAtMs: nowMs - MINUTE_MS,
        quiet: { by: "silence", id: "s1" },
      },
    ],
    silences: [
      { id: "s1", match: { tenant: "globex" }, untilMs: nowMs + 60 * MINUTE_MS, reason: "load test", by: "ops" },
    ],
    deliveries: [
      {
        id: "msg_2f9a0c",
        receiver: "on-call",
        state: "delivered",
        attempts: 1,
        createdAtMs: since,
        firstAttemptAtMs: since + 300,
        nextAttemptAtMs: null,
        lastResult: "202",
        alerts: ["breaker:shop"],
      },
      {
        id: "msg_2f9a0d",
        receiver: "chat",
        state: "dead",
        attempts: 12,
        createdAtMs: since,
        firstAttemptAtMs: since + 300,
        nextAttemptAtMs: null,
        lastResult: "no answer within 5 s",
        alerts: ["breaker:shop"],
      },
    ],
  };
}

const STATUS = {
  configVersion: 7,
  configHash: "0000",
  tenants: [],
  truncated: false,
  failModes: [],
};

/** The page's API answers so from then on, where it would take long to come true; everything else is the gateway's. */
export async function showOutage(page: Page, nowMs = Date.now()): Promise<void> {
  const api = (path: string): string => `**/_weir/api/v1${path}`;
  await page.route(api("/series?*"), (route) => route.fulfill({ json: seriesOf(new URL(route.request().url())) }));
  await page.route(api("/objectives"), (route) => route.fulfill({ json: objectivesOf(nowMs) }));
  await page.route(api("/alerts"), (route) => route.fulfill({ json: alertsOf(nowMs) }));
  await page.route(api("/pages"), (route) =>
    route.fulfill({
      json: {
        routes: ROUTES.map((name, index) => ({
          route: name,
          origin: index === 1 ? "search" : "shop",
          path: index === 2 ? "/*" : `/${name}/*`,
        })),
        states: ["open", "maintenance", "limited"],
        languages: ["en", "de"],
      },
    }),
  );
  const last = { from: "closed", to: "open", reason: "failing: refused" };
  const origin = { epoch: 12, outstandingProbes: 1, forced: null, lastTransition: null };
  await page.route(api("/status"), (route) =>
    route.fulfill({
      json: {
        ...STATUS,
        origins: [
          {
            ...origin,
            origin: "shop",
            state: "open",
            score: 20,
            lastTransition: { ...last, atMs: nowMs - 7 * MINUTE_MS },
          },
          { ...origin, origin: "search", state: "closed", score: 3 },
        ],
      },
    }),
  );
  await page.routeWebSocket(/\/_weir\/api\/v1\/live$/, (socket) => {
    for (let second = 120; second > 0; second--) socket.send(JSON.stringify(tickAt(nowMs - second * 1_000)));
    socket.send(JSON.stringify(tickAt(Date.now())));
  });
}
