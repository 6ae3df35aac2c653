/**
 * What telemetry costs: one gateway with two edges in one process, of which one counts nothing, under load in turns of a
 * second (on, off, off, on, ...), so that what else the machine does hits both alike. Requests/s by pairs of turns; CPU
 * time of the process for each request over all turns, which a busy machine disturbs less.
 */
import { startGateway } from "../local/gateway.ts";
import { freePorts } from "../local/ports.ts";
import type { Config } from "../src/config/model.ts";
import { load } from "./load.ts";
import { median } from "./median.ts";
import { processCpuMs } from "./process-cpu.ts";

/** Of the gateway's requests/s. */
const MARK_RATIO = 0.03;
const ROUND_SECONDS = 1;
const COUNTED = 0;
const UNCOUNTED = 1;

export interface TelemetryFigures {
  readonly pairs: number;
  /** Median of the pairs: 1 - with / without. */
  readonly requestsRatio: number;
  /** Half of the pairs are between these. */
  readonly quartiles: readonly [number, number];
  /** With / without - 1; undefined where there is no /proc. */
  readonly cpuRatio: number | undefined;
}

interface Side {
  readonly url: string;
  requests: number;
  cpuMs: number;
}

export interface TelemetryOptions {
  readonly config: Config;
  readonly secrets: Parameters<typeof startGateway>[0]["secrets"];
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly pairs: number;
}

export async function measureTelemetry(options: TelemetryOptions): Promise<TelemetryFigures> {
  const { config, secrets, headers, connections, pairs } = options;
  const port = await freePorts(2);
  const gateway = await startGateway({ config, port, edges: 2, uncountedEdge: UNCOUNTED, secrets });
  const side = (edge: number): Side => ({ url: `${gateway.urls[edge] ?? ""}/x`, requests: 0, cpuMs: 0 });
  const sides = [side(COUNTED), side(UNCOUNTED)] as const;
  const round = async (of: Side): Promise<number> => {
    const before = processCpuMs(gateway.pid) ?? Number.NaN;
    const { requestsPerSecond } = await load(of.url, headers, ROUND_SECONDS, connections);
    of.cpuMs += (processCpuMs(gateway.pid) ?? Number.NaN) - before;
    of.requests += requestsPerSecond * ROUND_SECONDS;
    return requestsPerSecond;
  };
  try {
    for (const { url } of sides) await load(url, headers, 2 * ROUND_SECONDS, connections);
    const losses: number[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      const [first, second] = pair % 2 === 0 ? sides : [sides[1], sides[0]];
      const [one, two] = [await round(first), await round(second)];
      losses.push(pair % 2 === 0 ? 1 - one / two : 1 - two / one);
    }
    const sorted = losses.toSorted((a, b) => a - b);
    const quarter = Math.floor(sorted.length / 4);
    const cpuRatio = sides[0].cpuMs / sides[0].requests / (sides[1].cpuMs / sides[1].requests) - 1;
    return {
      pairs,
      requestsRatio: median(losses),
      quartiles: [sorted[quarter] ?? Number.NaN, sorted[sorted.length - 1 - quarter] ?? Number.NaN],
      cpuRatio: Number.isNaN(cpuRatio) ? undefined : cpuRatio,
    };
  } finally {
    await gateway.stop();
  }
}

/** True: the mark is missed by both figures. One alone is the machine's noise. */
export const telemetryFails = ({ requestsRatio, cpuRatio }: TelemetryFigures): boolean =>
  requestsRatio > MARK_RATIO && (cpuRatio ?? requestsRatio) > MARK_RATIO;

export function telemetryReport(figures: TelemetryFigures): string {
  const { pairs, requestsRatio, quartiles, cpuRatio } = figures;
  const [low, high] = quartiles.map(percent);
  const cpu = cpuRatio === undefined ? "" : `; ${percent(cpuRatio)} % of CPU time per request`;
  const held = telemetryFails(figures) ? "MISSED" : "held";
  return `telemetry costs ${percent(requestsRatio)} % of requests/s (${pairs} pairs of alternating rounds of ${ROUND_SECONDS} s, half of them ${low} to ${high} %)${cpu}; mark ${MARK_RATIO * 100} %: ${held}`;
}

const percent = (ratio: number): string => (ratio * 100).toFixed(1);
