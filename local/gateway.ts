/**
 * The gateway on this machine: workerd in-process (Miniflare), one service that owns the Durable Objects, and N edges,
 * each its own isolate on its own port and with its own PoP name, sharing them. Requests come through direct sockets.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { sep } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { OBJECT_CLASSES } from "../cli/wrangler-file.ts";
import type { Config } from "../src/config/model.ts";
import { buildWorker } from "./build-worker.ts";
import { SILENT_COORDINATOR_SCRIPT, WAN_PROXY_SCRIPT } from "./wan-proxy.ts";

const COMPATIBILITY_DATE = "2026-10-01";
const STOP_DEADLINE_MS = 5_000;
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const COORDINATORS = "coordinators";
const SILENT = "silent";
const SILENT_ORIGIN = { className: "Silent", scriptName: SILENT, useSQLite: true };

export interface Secrets {
  readonly WEIR_KEY_SECRET?: string;
  readonly WEIR_ADMIN_TOKEN?: string;
  readonly WEIR_PROXY_SECRET?: string;
  /** Of alerts' receivers, as the config names them. */
  readonly [receiver: `WEIR_${string}`]: string | undefined;
}

export interface GatewayOptions {
  readonly config: Config;
  /** Of the config file. */
  readonly text?: string;
  /** The first edge's port; the others follow. */
  readonly port: number;
  readonly edges?: number;
  /** Round trip between edges and coordinators. */
  readonly wanMs?: number;
  /** Where the objects keep their state; undefined: in memory. */
  readonly stateDir?: string;
  /** This edge, by its number, reaches no origin's coordinator. */
  readonly cutOffEdge?: number;
  /** Module that stands in the place of `src/worker.ts`, with the same exports. */
  readonly entry?: string;
  readonly secrets: Secrets;
  readonly serverTiming?: boolean;
  /** Host name the admin API is on; undefined: it is on every host. */
  readonly adminHost?: string;
  /** Default: configs may name this machine and private networks. */
  readonly privateOrigins?: boolean;
  /** What the Worker writes on its log, a line at a time; default: errors alone, on stderr. */
  readonly onLog?: (level: string, line: string) => void;
  /** The API's reference and the dashboard are shown without a token, and browsers may log in. */
  readonly adminPages?: boolean;
  /** The dashboard's files, as `buildDashboard` made them; undefined: there is none. */
  readonly assets?: string;
}

export interface Gateway {
  readonly urls: readonly string[];
  /** The runtime's process. */
  readonly pid: number | undefined;
  /** Names of the stored Durable Objects of one kind; needs a state folder. */
  listObjects(kind: keyof typeof OBJECT_CLASSES): string[];
  /** Always ends: what has not stopped after five seconds is killed. */
  stop(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, port, edges = 1, stateDir } = options;
  const script = await buildWorker(config, options.text, options.entry);
  const before = new Set(runtimePids());
  const signals = new Map(STOP_SIGNALS.map((signal) => [signal, new Set(process.listeners(signal))]));
  if (stateDir !== undefined) mkdirSync(stateDir, { recursive: true });
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      log: new Log(LogLevel.ERROR),
      logRequests: false,
      cf: false,
      ...(stateDir === undefined ? {} : { resourcePersistencePath: stateDir }),
      workers: workersOf(options, script, port, edges),
    } as Parameters<typeof convertV4MiniflareOptions>[0]),
    handleStructuredLogs: ({ level, message }): void => {
      (options.onLog ?? printErrors)(level, message);
    },
  });
  await miniflare.ready;
  // Miniflare would end the process at once on a signal; stopping is for whoever started the gateway to order.
  for (const [signal, known] of signals) {
    for (const listener of process.listeners(signal))
      if (!known.has(listener)) process.removeListener(signal, listener);
  }
  const pid = runtimePids().find((candidate) => !before.has(candidate));
  return {
    urls: Array.from({ length: edges }, (_, index) => `http://127.0.0.1:${port + index}`),
    pid,
    listObjects: (kind) => (stateDir === undefined ? [] : objectFiles(stateDir, OBJECT_CLASSES[kind])),
    stop: () => stopWithin(miniflare, pid),
  };
}

function printErrors(level: string, line: string): void {
  if (level === "error") console.error(line);
}

function workersOf(options: GatewayOptions, script: string, port: number, edges: number): Record<string, unknown>[] {
  const {
    wanMs = 0,
    secrets,
    serverTiming = false,
    adminHost,
    adminPages = false,
    privateOrigins = true,
    cutOffEdge,
    assets,
  } = options;
  const shared = {
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: ["enable_request_signal"],
    modules: [{ type: "ESModule", path: "worker.js", contents: script }],
    stripCfConnectingIp: false,
  };
  const bindings = {
    ...secrets,
    ...(privateOrigins ? { WEIR_ALLOW_PRIVATE_ORIGINS: "1" } : {}),
    ...(serverTiming ? { WEIR_SERVER_TIMING: "1" } : {}),
    ...(adminHost === undefined ? {} : { WEIR_ADMIN_HOST: adminHost }),
    ...(adminPages ? { WEIR_ADMIN_PAGES: "open" } : {}),
  };
  const remoteObjects = Object.fromEntries(
    Object.entries(OBJECT_CLASSES).map(([binding, className]) => [
      binding,
      { className, scriptName: COORDINATORS, useSQLite: true },
    ]),
  );
  const coordinators = {
    ...shared,
    name: COORDINATORS,
    bindings: { ...bindings, WEIR_POP: "coordinator" },
    durableObjects: Object.fromEntries(
      Object.entries(OBJECT_CLASSES).map(([binding, className]) => [binding, { className, useSQLite: true }]),
    ),
  };
  const wan = {
    name: "wan",
    compatibilityDate: COMPATIBILITY_DATE,
    modules: [{ type: "ESModule", path: "wan.js", contents: WAN_PROXY_SCRIPT }],
    bindings: { WAN_MS: wanMs },
    durableObjects: remoteObjects,
  };
  const edgeWorkers = Array.from({ length: edges }, (_, index) => ({
    ...shared,
    name: `edge-${index}`,
    bindings: { ...bindings, WEIR_POP: `edge-${index}` },
    durableObjects: index === cutOffEdge ? { ...remoteObjects, ORIGIN: SILENT_ORIGIN } : remoteObjects,
    kvNamespaces: { SNAPSHOTS: "snapshots" },
    // Nothing stands in front of the Worker: it reads the dashboard's files from the folder.
    serviceBindings: {
      ...(wanMs > 0 ? { WAN: "wan" } : {}),
      ...(assets === undefined ? {} : { ASSETS: { disk: { path: assets, writable: false } } }),
    },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: port + index }],
  }));
  const silent = {
    name: SILENT,
    compatibilityDate: COMPATIBILITY_DATE,
    modules: [{ type: "ESModule", path: "silent.js", contents: SILENT_COORDINATOR_SCRIPT }],
    durableObjects: { SILENT: { className: "Silent", useSQLite: true } },
  };
  return [coordinators, ...(wanMs > 0 ? [wan] : []), ...(cutOffEdge === undefined ? [] : [silent]), ...edgeWorkers];
}

async function stopWithin(miniflare: Miniflare, pid: number | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const killed = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      if (pid !== undefined && isRunning(pid)) process.kill(pid, "SIGKILL");
      resolve();
    }, STOP_DEADLINE_MS);
  });
  await Promise.race([miniflare.dispose(), killed]);
  clearTimeout(timer);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Process ids of runtimes this process has started. */
export function runtimePids(): number[] {
  try {
    const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" });
    return table.split("\n").flatMap((line) => {
      const [pid, parent, ...command] = line.trim().split(/\s+/);
      return Number(parent) === process.pid && command.join(" ").includes("workerd") ? [Number(pid)] : [];
    });
  } catch {
    // No `ps` here: stopping then relies on the runtime alone.
    return [];
  }
}

function objectFiles(folder: string, className: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (path) => path.includes(`-${className}${sep}`) && path.endsWith(".sqlite") && !path.includes("metadata"),
    );
  } catch {
    return [];
  }
}
