/** Open-loop traffic over real sockets: requests leave when they are due, whether or not earlier ones came back. */
import { Agent, request as httpRequest } from "node:http";

export interface Outcome {
  readonly sentAtMs: number;
  readonly durationMs: number;
  /** 0: no answer came. */
  readonly status: number;
  readonly served: string;
  readonly retryAfter: string;
  /** Whom the admission was decided by, and when, where the gateway says so. */
  readonly decidedBy: string;
  readonly decidedAtMs: number;
  readonly error: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type RequestHeaders = Readonly<Record<string, string>>;

export interface TrafficOptions {
  readonly urls: readonly string[];
  readonly path: () => string;
  /** The same for all, or by the number of the request. */
  readonly headers?: RequestHeaders | ((request: number) => RequestHeaders);
  readonly method?: string;
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly timeoutMs?: number;
  /** Called for each outcome as it comes. */
  readonly onOutcome?: (outcome: Outcome) => void;
  /** Ends it before its time: what has been sent is still waited for. */
  readonly signal?: AbortSignal;
}

const MAX_OUTSTANDING = 2_000;
/** Over all urls: a machine that is late opens no thousands of them. */
const MAX_SOCKETS = 512;
/** The runtime closes idle connections after five seconds; a request that is sent just then would be lost. */
const IDLE_MS = 3_000;

/** Evenly spaced, round-robin over the urls; ends when every request has. */
export async function runTraffic(options: TrafficOptions): Promise<Outcome[]> {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    maxTotalSockets: MAX_SOCKETS,
    timeout: IDLE_MS,
  });
  const outcomes: Outcome[] = [];
  const pending = new Set<Promise<void>>();
  const total = Math.floor((options.ratePerSecond * options.durationMs) / 1_000);
  const beganAtMs = performance.now();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const tick = setInterval(() => {
      const due = Math.min(total, ((performance.now() - beganAtMs) * options.ratePerSecond) / 1_000);
      while (sent < due && pending.size < MAX_OUTSTANDING) {
        const url = options.urls[sent % options.urls.length] ?? "";
        const headers = typeof options.headers === "function" ? options.headers(sent) : options.headers;
        sent++;
        const work = send(agent, url + options.path(), { ...options, headers }).then((outcome) => {
          outcomes.push(outcome);
          options.onOutcome?.(outcome);
          pending.delete(work);
        });
        pending.add(work);
      }
      if (sent >= total || options.signal?.aborted === true) {
        clearInterval(tick);
        resolve();
      }
    }, 2);
  });
  await Promise.all(pending);
  agent.destroy();
  return outcomes;
}

/** One request; never rejects. */
export function send(
  agent: Agent | undefined,
  url: string,
  options: Pick<TrafficOptions, "method" | "timeoutMs"> & { readonly headers?: RequestHeaders | undefined } = {},
): Promise<Outcome> {
  const sentAtMs = Date.now();
  const began = performance.now();
  return new Promise((resolve) => {
    let settled = false;
    const finish = (partial: Partial<Outcome>): void => {
      if (settled) return;
      settled = true;
      const headers = partial.headers ?? {};
      const [decidedBy = "", decidedAt = "0"] =
        /admit;desc="([^"]*)"/.exec(String(headers["server-timing"] ?? ""))?.[1]?.split("@") ?? [];
      resolve({
        sentAtMs,
        durationMs: performance.now() - began,
        status: 0,
        error: "",
        body: "",
        ...partial,
        headers,
        served: String(headers["weir-served"] ?? ""),
        retryAfter: String(headers["retry-after"] ?? ""),
        decidedBy,
        decidedAtMs: Number(decidedAt),
      });
    };
    const request = httpRequest(url, {
      method: options.method ?? "GET",
      headers: { ...options.headers },
      timeout: options.timeoutMs ?? 15_000,
      ...(agent === undefined ? {} : { agent }),
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        finish({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() });
      });
      response.on("error", (error) => {
        finish({ error: `body: ${error.message}`, headers: response.headers });
      });
    });
    request.on("timeout", () => {
      finish({ error: "no answer in time" });
      request.destroy();
    });
    request.on("error", (error) => {
      finish({ error: error.message });
    });
    request.end();
  });
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
