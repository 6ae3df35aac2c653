/**
 * `npm run bench [-- --json --seconds N --rounds N]`: in one run, on the same runner and socket type, a bare
 * pass-through Worker, the gateway, the gateway on a cached route, a Worker that asks one Durable Object for each
 * request, and one that answers by itself; then the limiter alone, and what telemetry costs. Each has a runtime process
 * of its own, so none inherits another's heap, and only one is under load at a time.
 * Rounds are interleaved; each figure is the median. Machines differ and are noisy: quote the ratios. Requests/s may be
 * compared where each runtime's process kept its one core busy (the share of it is shown): then they are bound by the
 * same thing, and neither by the origin nor by the load generator. CPU time for each request says the same of a machine
 * that does other things, too. The load generator counts what would have been sent during a stall, so a 99th percentile
 * above 1 % of a round is the length of the longest ones.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { runtimePids, startGateway } from "../local/gateway.ts";
import { freePorts } from "../local/ports.ts";
import { loadConfig } from "../src/config/load.ts";
import type { Config } from "../src/config/model.ts";
import { mintApiKey } from "../src/platform/api-key.ts";
import {
  type DistinctUrlFigures,
  distinctUrlsFail,
  distinctUrlsReport,
  measureDistinctUrls,
} from "./distinct-urls-report.ts";
import { type LeaseCallFigures, measureLeaseCalls } from "./lease-calls.ts";
import { type LimiterFigures, limiterFails, limiterReport, measureLimiter } from "./limiter-report.ts";
import { load, type Round, tool } from "./load.ts";
import { median } from "./median.ts";
import { processCpuMs } from "./process-cpu.ts";
import { ANSWERS_ITSELF, OBJECT_PER_REQUEST, PASS_THROUGH } from "./rivals.ts";
import { measureTelemetry, type TelemetryFigures, telemetryFails, telemetryReport } from "./telemetry.ts";

const CONNECTIONS = 32;
/** Of load before each round, not counted: what was compiled for the round before may have been dropped meanwhile. */
const WARM_SECONDS = 2;
/** What is asked of a contender, in requests/s of the pass-through. Said, and no failure: one run on a busy machine decides nothing. */
const MARKS = new Map([
  ["gateway", 0.6],
  ["gateway, cached", 2.5],
]);
const SECRETS = {
  WEIR_KEY_SECRET: "bench-key-secret-0123456789abcdefghij",
  WEIR_ADMIN_TOKEN: "bench-admin-token-0123456789abcdefghij",
};

type Headers = Readonly<Record<string, string>>;

interface Contender {
  readonly name: string;
  readonly url: string;
  readonly headers: Headers;
  readonly rounds: Round[];
  /** CPU ms of its process for each request, one figure a round. */
  readonly cpu: number[];
  /** CPU time of its process for each second, one figure a round: 1 is a core. */
  readonly cores: number[];
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** Two limits far above the load, a breaker, metrics; and a cached route. */
async function gatewayConfig(originUrl: string): Promise<Config> {
  const text = JSON.stringify({
    version: 1,
    origins: { app: { url: originUrl } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: { bench: { limits: { requests: { rate: "200000/s", burst: 400_000 } } } },
    tenants: { acme: { plan: "bench" } },
    routes: [
      { id: "cached", match: { path: "/cached/*" }, origin: "app", cache: { staleIfError: "1h" } },
      {
        id: "all",
        match: { path: "/*" },
        origin: "app",
        limits: { route: { rate: "200000/s", burst: 400_000 } },
      },
    ],
  });
  const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

async function startRival(
  script: string,
  originUrl: string,
  objects: Record<string, unknown>,
): Promise<{ url: string; pid: number | undefined; stop: () => Promise<void> }> {
  const before = new Set(runtimePids());
  const port = await freePorts(1);
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      log: new Log(LogLevel.ERROR),
      logRequests: false,
      cf: false,
      workers: [
        {
          name: "rival",
          compatibilityDate: "2026-10-01",
          modules: [{ type: "ESModule", path: "worker.js", contents: script }],
          bindings: { ORIGIN_URL: originUrl },
          stripCfConnectingIp: false,
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
          ...objects,
        },
      ],
    }),
  );
  await miniflare.ready;
  const pid = runtimePids().find((candidate) => !before.has(candidate));
  return { url: `http://127.0.0.1:${port}`, pid, stop: () => miniflare.dispose() };
}

async function startContenders(originUrl: string, config: Config, headers: Headers): Promise<Contender[]> {
  const passThrough = await startRival(PASS_THROUGH, originUrl, {});
  const perRequest = await startRival(OBJECT_PER_REQUEST, originUrl, {
    durableObjects: { BUCKET: { className: "Bucket", useSQLite: true } },
  });
  const itself = await startRival(ANSWERS_ITSELF, originUrl, {});
  const gateway = await startGateway({ config, port: await freePorts(1), secrets: SECRETS });
  const cached = await startGateway({ config, port: await freePorts(1), secrets: SECRETS });
  const contender = (
    name: string,
    url: string,
    more: Omit<Contender, "name" | "url" | "rounds" | "cpu" | "cores">,
  ): Contender => ({
    name,
    url,
    rounds: [],
    cpu: [],
    cores: [],
    ...more,
  });
  return [
    contender("pass-through", `${passThrough.url}/x`, { headers: {}, pid: passThrough.pid, stop: passThrough.stop }),
    contender("gateway", `${gateway.urls[0]}/x`, { headers, pid: gateway.pid, stop: () => gateway.stop() }),
    contender("gateway, cached", `${cached.urls[0]}/cached/x`, { headers, pid: cached.pid, stop: () => cached.stop() }),
    contender("object per request", `${perRequest.url}/x`, { headers: {}, pid: perRequest.pid, stop: perRequest.stop }),
    contender("answers by itself", `${itself.url}/x`, { headers: {}, pid: itself.pid, stop: itself.stop }),
  ];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      seconds: { type: "string", default: "5" },
      rounds: { type: "string", default: "5" },
    },
  });
  const seconds = Math.min(60, Math.max(1, Number(values.seconds)));
  const rounds = Math.min(20, Math.max(1, Number(values.rounds)));
  const origin = fork(join(import.meta.dirname, "origin.ts"), { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const originPort = await new Promise<number>((resolve) =>
    origin.stdout?.once("data", (data) => {
      resolve(Number(String(data)));
    }),
  );
  const originUrl = `http://127.0.0.1:${originPort}`;
  const config = await gatewayConfig(originUrl);
  const key = await mintApiKey(SECRETS.WEIR_KEY_SECRET, { tenantId: "acme", keyId: "0123456789abcdef" });
  const headers = { authorization: `Bearer ${key}` };
  const contenders = await startContenders(originUrl, config, headers);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const contender of contenders) {
        console.error(`round ${round + 1}/${rounds}: ${contender.name}`);
        await load(contender.url, contender.headers, WARM_SECONDS, CONNECTIONS);
        const beganAt = processCpuMs(contender.pid);
        const result = await load(contender.url, contender.headers, seconds, CONNECTIONS);
        const endedAt = processCpuMs(contender.pid);
        contender.rounds.push(result);
        if (beganAt !== undefined && endedAt !== undefined) {
          contender.cpu.push((endedAt - beganAt) / (result.requestsPerSecond * seconds));
          contender.cores.push((endedAt - beganAt) / (seconds * 1_000));
        }
      }
    }
  } finally {
    for (const contender of contenders) await contender.stop();
  }
  console.error("telemetry: on and off, by turns");
  const telemetry = await measureTelemetry({
    config,
    secrets: SECRETS,
    headers,
    connections: CONNECTIONS,
    seconds: Math.max(10, 6 * rounds),
  });
  console.error("lease calls: 4 edges at 0.8 of the limit");
  const leaseCalls = await measureLeaseCalls(originUrl, Math.max(5, seconds));
  origin.disconnect();
  console.error("the limiter alone");
  const limiter = await measureLimiter();
  console.error("a million distinct URLs");
  const distinctUrls = await measureDistinctUrls();
  const failed = report(contenders, {
    json: values.json,
    seconds,
    rounds,
    leaseCalls,
    limiter,
    distinctUrls,
    telemetry,
  });
  return failed || limiterFails(limiter) || distinctUrlsFail(distinctUrls) || telemetryFails(telemetry) ? 1 : 0;
}

interface Report {
  readonly json: boolean;
  readonly seconds: number;
  readonly rounds: number;
  readonly leaseCalls: LeaseCallFigures;
  readonly limiter: LimiterFigures;
  readonly distinctUrls: DistinctUrlFigures;
  readonly telemetry: TelemetryFigures;
}

/** True: something failed. */
function report(contenders: readonly Contender[], options: Report): boolean {
  const figures = contenders.map(({ name, rounds, cpu, cores }) => ({
    name,
    cpuMsPerRequest: cpu.length === 0 ? undefined : Number(median(cpu).toFixed(4)),
    cores: cores.length === 0 ? undefined : Number(median(cores).toFixed(2)),
    requestsPerSecond: Math.round(median(rounds.map((round) => round.requestsPerSecond))),
    p50Ms: median(rounds.map((round) => round.p50Ms)),
    p99Ms: median(rounds.map((round) => round.p99Ms)),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
  }));
  const base = figures[0]?.requestsPerSecond ?? Number.NaN;
  const rows = figures.map((figure) => ({ ...figure, ratio: Number((figure.requestsPerSecond / base).toFixed(3)) }));
  if (options.json) console.log(JSON.stringify({ tool, connections: CONNECTIONS, ...options, results: rows }, null, 2));
  else {
    console.log(
      `${tool}, ${CONNECTIONS} connections, median of ${options.rounds} interleaved rounds of ${options.seconds} s`,
    );
    for (const row of rows) {
      console.log(
        `${row.name.padEnd(20)} ${String(row.requestsPerSecond).padStart(7)} req/s  p50 ${row.p50Ms.toFixed(2)} ms  p99 ${row.p99Ms.toFixed(2)} ms  ${row.ratio.toFixed(2)} × pass-through  ${row.errors} errors${row.cpuMsPerRequest === undefined ? "" : `  ${row.cpuMsPerRequest} CPU ms per request, HTTP and objects with it, ${row.cores} of a core`}`,
      );
    }
    for (const [name, mark] of MARKS) {
      const { ratio = Number.NaN } = rows.find((row) => row.name === name) ?? {};
      console.log(`${name}: mark ${mark} × pass-through: ${ratio >= mark ? "held" : "missed"}`);
    }
    console.log(`\n${limiterReport(options.limiter, options.leaseCalls)}`);
    console.log(distinctUrlsReport(options.distinctUrls));
    console.log(telemetryReport(options.telemetry));
  }
  return rows.some((row) => row.errors > 0 || !(row.requestsPerSecond > 0)) || options.leaseCalls.refused > 0;
}

process.exit(await main());
