/** One round of load on one URL: wrk where it is installed, else autocannon. Loopback only, bounded by its duration. */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import autocannon from "autocannon";

const run = promisify(execFile);

export interface Round {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were not 2xx, and connections that failed. */
  readonly errors: number;
}

export const tool: "wrk" | "autocannon" = hasWrk() ? "wrk" : "autocannon";

function hasWrk(): boolean {
  try {
    execFileSync("wrk", ["-v"], { stdio: "ignore" });
    return true;
  } catch (error) {
    // wrk prints its version and ends with 1; only "not found" means it is not there.
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
}

export function load(
  url: string,
  headers: Readonly<Record<string, string>>,
  seconds: number,
  connections: number,
): Promise<Round> {
  return tool === "wrk"
    ? withWrk(url, headers, seconds, connections)
    : withAutocannon(url, headers, seconds, connections);
}

async function withWrk(
  url: string,
  headers: Readonly<Record<string, string>>,
  seconds: number,
  connections: number,
): Promise<Round> {
  const headerArguments = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const { stdout } = await run("wrk", [
    "-t1",
    `-c${connections}`,
    `-d${seconds}s`,
    "--latency",
    ...headerArguments,
    url,
  ]);
  const latency = (percent: string): number => toMs(new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout));
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? "0";
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? [];
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN),
    p50Ms: latency("50"),
    p99Ms: latency("99"),
    errors: Number(failed) + socket.reduce((sum, count) => sum + Number(count), 0),
  };
}

function toMs(match: RegExpExecArray | null): number {
  const [, value, unit] = match ?? [];
  return Number(value) * (unit === "us" ? 0.001 : unit === "s" ? 1_000 : 1);
}

async function withAutocannon(
  url: string,
  headers: Readonly<Record<string, string>>,
  seconds: number,
  connections: number,
): Promise<Round> {
  const result = await autocannon({ url, headers: { ...headers }, duration: seconds, connections });
  return {
    requestsPerSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    errors: result.non2xx + result.errors + result.timeouts,
  };
}
