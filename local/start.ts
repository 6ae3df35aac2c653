/**
 * `npm start [-- --config FILE --port 8787 --edges N --wan 80ms --state DIR]`: the gateway on this machine until SIGINT
 * or SIGTERM. Without --config it runs ./weir.jsonc, and a demo origin where that config's "demo" origin points.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadConfigFile, newConfigVersion } from "../cli/config-file.ts";
import { formatProblem, type LoadedConfig } from "../src/config/load.ts";
import type { Config } from "../src/config/model.ts";
import { durationMs } from "../src/config/units.ts";
import { buildDashboard, DASHBOARD_FOLDER } from "./build-dashboard.ts";
import { type DemoOrigin, startDemoOrigin } from "./demo-origin.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { findTakenPort } from "./ports.ts";
import {
  DEFAULT_STATE_DIR,
  loadKeys,
  loadReceiverSecrets,
  loadSecrets,
  type LocalSecrets,
  removeGatewayRecord,
  saveKeys,
  writeGatewayRecord,
} from "./state.ts";

const USAGE = `usage: npm start -- [--config FILE] [--port 8787] [--edges 1] [--wan 80ms] [--state ${DEFAULT_STATE_DIR}]`;
const DEMO_TENANTS = ["acme", "globex"] as const;
const MAX_EDGES = 64;
const MAX_WAN_MS = 10_000;
const PARENT_CHECK_MS = 500;

interface Arguments {
  readonly config: string | undefined;
  readonly port: number;
  readonly edges: number;
  readonly wanMs: number;
  readonly state: string;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      config: { type: "string" },
      port: { type: "string", default: "8787" },
      edges: { type: "string", default: "1" },
      wan: { type: "string", default: "0ms" },
      state: { type: "string", default: DEFAULT_STATE_DIR },
    },
  });
  const port = Number(values.port);
  const edges = Number(values.edges);
  const wanMs = durationMs(values.wan);
  if (!Number.isInteger(edges) || edges < 1 || edges > MAX_EDGES)
    throw new Error(`--edges must be 1 to ${MAX_EDGES}, not "${values.edges}"`);
  if (!Number.isInteger(port) || port < 1 || port + edges > 65_536)
    throw new Error(`--port must be 1 to ${65_536 - edges}, not "${values.port}"`);
  if (!(wanMs >= 0 && wanMs <= MAX_WAN_MS))
    throw new Error(`--wan must be a duration up to 10s like "80ms", not "${values.wan}"`);
  return { config: values.config, port, edges, wanMs, state: resolve(values.state) };
}

async function readConfig(path: string): Promise<LoadedConfig | undefined> {
  const result = await loadConfigFile(path, newConfigVersion());
  if (!result.ok) {
    for (const problem of result.problems) console.error(formatProblem(path, problem));
    console.error(`\n${result.problems.length} problem(s) in ${path}; nothing was started.`);
    return undefined;
  }
  for (const warning of result.warnings) console.error(`warning: ${formatProblem(path, warning)}`);
  return result;
}

/** The port the config's "demo" origin is expected at on this machine. */
function demoPort(config: Config): number | undefined {
  const demo = config.origins.find((origin) => origin.id === "demo");
  const url = demo === undefined ? undefined : new URL(demo.url);
  return url?.hostname === "127.0.0.1" && url.port !== "" ? Number(url.port) : undefined;
}

async function requireFree(port: number, count: number, remedy: string): Promise<boolean> {
  const taken = await findTakenPort(port, count);
  if (taken === undefined) return true;
  const why = taken.reason === "EADDRINUSE" ? "already taken" : `not available (${taken.reason})`;
  console.error(`Port ${taken.port} on 127.0.0.1 is ${why}. ${remedy}`);
  return false;
}

/** Keys of the demo tenants, made on the first start. */
async function demoKeys(config: Config, url: string, token: string, stateDir: string): Promise<Record<string, string>> {
  const kept = loadKeys(stateDir);
  const keys: Record<string, string> = {};
  for (const tenant of DEMO_TENANTS) {
    if (!config.tenants.some(({ id }) => id === tenant)) continue;
    const known = kept[tenant];
    keys[tenant] = typeof known === "string" ? known : await createKey(url, token, tenant);
  }
  saveKeys(stateDir, { ...kept, ...keys });
  return keys;
}

async function createKey(url: string, token: string, tenant: string): Promise<string> {
  const response = await fetch(`${url}/_weir/api/v1/tenants/${tenant}/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ label: "made by npm start" }),
  });
  const body: unknown = await response.json();
  if (typeof body === "object" && body !== null && "key" in body && typeof body.key === "string") return body.key;
  throw new Error(`could not make a key for ${tenant}: status ${response.status}`);
}

function printReady(
  gateway: Gateway,
  args: Arguments,
  demo: { origin: DemoOrigin; keys: Record<string, string> } | undefined,
): void {
  const [url = ""] = gateway.urls;
  const lines = [
    "",
    `Weir is ready: ${gateway.urls.join(" ")}`,
    `  state   ${args.state} (secrets.json holds the admin token)`,
    `  look    ${url}/_weir/ (the dashboard; log in with the admin token)`,
    `  status  npm run weir -- status`,
    `  metrics ${url}/_weir/metrics (with the admin token)`,
    `  API     ${url}/_weir/api/ (its reference, for a browser)`,
  ];
  if (demo !== undefined) {
    const { acme = "", globex = "" } = demo.keys;
    lines.push(
      "",
      "Try (each is one line):",
      "",
      "# 200: acme may 200 requests a second",
      `curl -i -H 'authorization: Bearer ${acme}' ${url}/hello`,
      "",
      "# 429: globex may 5 a second, 10 at once; the last of these 15 are throttled",
      `for i in $(seq 15); do curl -s -o /dev/null -w '%{http_code} ' -H 'authorization: Bearer ${globex}' ${url}/hello; done; echo`,
      "",
      "# stale: the catalog is cached for 2 s; then the origin breaks, and it is still served (Weir-Served: stale)",
      `curl -s ${url}/catalog/boots >/dev/null; curl -s -X POST ${demo.origin.url}/__control/break >/dev/null; sleep 3; curl -i ${url}/catalog/boots; curl -s -X POST ${demo.origin.url}/__control/mend`,
    );
  }
  console.log(lines.join("\n"));
  console.log("\nStop with Ctrl-C.");
}

async function main(): Promise<number> {
  let args: Arguments;
  try {
    args = readArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const configPath = args.config ?? "weir.jsonc";
  if (args.config === undefined && !existsSync(configPath)) {
    console.error(`no ${configPath} here; give one with --config FILE`);
    return 1;
  }
  const loaded = await readConfig(configPath);
  if (loaded === undefined) return 1;
  if (!(await requireFree(args.port, args.edges, "Choose others with --port, or stop what listens there."))) return 1;
  const originPort = args.config === undefined ? demoPort(loaded.config) : undefined;
  if (
    originPort !== undefined &&
    !(await requireFree(
      originPort,
      1,
      "The demo origin needs it: stop what listens there, or give your own config with --config.",
    ))
  )
    return 1;
  return run(args, loaded, originPort);
}

async function run(args: Arguments, { config, text }: LoadedConfig, originPort: number | undefined): Promise<number> {
  const secrets: LocalSecrets = loadSecrets(args.state);
  const origin = originPort === undefined ? undefined : await startDemoOrigin({ port: originPort });
  await buildDashboard();
  const gateway = await startGateway({
    config,
    text,
    assets: DASHBOARD_FOLDER,
    port: args.port,
    edges: args.edges,
    wanMs: args.wanMs,
    stateDir: join(args.state, "objects"),
    secrets: { ...loadReceiverSecrets(config), ...secrets },
    adminPages: true,
    onLog: (level, line) => {
      if (level === "error") console.error(line);
      else console.log(line);
    },
  });
  const stopped = new Promise<void>((resolveStop) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        resolveStop();
      });
    }
    // npm runs scripts through a shell that does not pass SIGTERM on: without it this process would be left behind.
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) resolveStop();
    }, PARENT_CHECK_MS).unref();
  });
  const [url = ""] = gateway.urls;
  writeGatewayRecord(args.state, { url, token: secrets.WEIR_ADMIN_TOKEN, pid: process.pid });
  const demo =
    origin === undefined
      ? undefined
      : { origin, keys: await demoKeys(config, url, secrets.WEIR_ADMIN_TOKEN, args.state) };
  printReady(gateway, args, demo);
  await stopped;
  console.error("stopping");
  removeGatewayRecord(args.state);
  await gateway.stop();
  await origin?.stop();
  return 0;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
