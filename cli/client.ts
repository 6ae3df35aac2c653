/**
 * Talks to a gateway's admin API. Finds the local one by itself from its state folder, or takes WEIR_URL and WEIR_TOKEN.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { API_BASE } from "../src/admin/contract.ts";
import { CliError } from "./output.ts";

const DEFAULT_STATE_DIR = join(".weir", "state");
const TIMEOUT_MS = 30_000;
/** A patient call comes again so often, and waits so long at most each time. */
const MAX_RETURNS = 20;
const MAX_WAIT_SECONDS = 10;
/** What a gateway answers on a path it does not have, or does not show. */
const UNROUTED = "urn:weir:problem:no-route";

export const gatewayArguments = {
  state: { type: "string", description: `State folder of a local gateway (default ${DEFAULT_STATE_DIR})` },
  json: { type: "boolean", description: "Print JSON", default: false },
} as const;

export interface Target {
  readonly url: string;
  readonly token: string;
}

/** Throws CliError when there is none. */
export function findGateway(stateDir: string | undefined): Target {
  const url = process.env["WEIR_URL"];
  const token = process.env["WEIR_TOKEN"];
  if (url !== undefined && url !== "" && stateDir === undefined) {
    if (token === undefined || token === "")
      throw new CliError("WEIR_URL is set but WEIR_TOKEN is not: set both, or neither to use the local gateway");
    return { url: url.replace(/\/+$/, ""), token };
  }
  const path = join(stateDir ?? DEFAULT_STATE_DIR, "gateway.json");
  if (!existsSync(path)) {
    throw new CliError(
      `no gateway is running here (${path} is not there): start one with npm start, or set WEIR_URL and WEIR_TOKEN`,
    );
  }
  const record: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (typeof record === "object" && record !== null && "url" in record && "token" in record) {
    return { url: String(record.url), token: String(record.token) };
  }
  throw new CliError(`${path} is not what a gateway wrote: stop it, delete the file, and start again`);
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the API's base. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Refusals that are the caller's to word: their problem comes back as it is. */
  readonly expected?: readonly number[];
  /** One of many calls: told to come again later, it does. */
  readonly patient?: boolean;
}

const contentType = ({ body }: Call): Readonly<Record<string, string>> =>
  body === undefined ? {} : { "content-type": "application/json" };

/** What the gateway says when it refuses. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly [member: string]: unknown;
}

/** Throws CliError when it cannot be reached. `path`: of the gateway. */
async function askGateway(
  { url, token }: Target,
  path: string,
  init: Omit<RequestInit, "headers"> & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Response> {
  try {
    return await fetch(url + path, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new CliError(`cannot reach ${url}: ${cause}. Is the gateway running?`);
  }
}

/** Counters by series, as the gateway's Prometheus text says them. */
export async function readCounters(stateDir: string | undefined): Promise<ReadonlyMap<string, number>> {
  const target = findGateway(stateDir);
  const response = await askGateway(target, "/_weir/metrics?tenants=1000");
  const text = await response.text();
  if (!response.ok) throw new CliError(`${target.url} answered ${response.status} to /_weir/metrics`);
  const counters = new Map<string, number>();
  for (const line of text.split("\n")) {
    const end = line.lastIndexOf(" ");
    if (!line.startsWith("#") && end > 0) counters.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return counters;
}

/** The reply's JSON; for the statuses in `expected` the problem. Throws CliError with what the gateway says, or with what to do when it cannot be reached. */
export async function callAdmin<Reply>(stateDir: string | undefined, call: Call): Promise<Reply> {
  const target = findGateway(stateDir);
  const { url } = target;
  let response = await send(target, call);
  for (let returns = 0; call.patient === true && response.status === 429 && returns < MAX_RETURNS; returns++) {
    await response.body?.cancel();
    const seconds = Math.min(MAX_WAIT_SECONDS, Number(response.headers.get("retry-after") ?? 1) || 1);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    response = await send(target, call);
  }
  const value: unknown = await response.json().catch(() => undefined);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the contract both sides import says what it is
  if (response.ok || call.expected?.includes(response.status) === true) return value as Reply;
  const title = typeof value === "object" && value !== null && "title" in value ? String(value.title) : "no details";
  const hidden = typeof value === "object" && value !== null && "type" in value && value.type === UNROUTED;
  const hint = hidden ? " (a wrong token looks like this too)" : "";
  throw new CliError(`${url} answered ${response.status}: ${title}${hint}`);
}

const send = (target: Target, call: Call): Promise<Response> =>
  askGateway(target, API_BASE + call.path, {
    method: call.method,
    headers: { accept: "application/json", ...contentType(call), ...call.headers },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  });
