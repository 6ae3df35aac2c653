/**
 * What telemetry costs. One isolate under steady load, whose telemetry is on and off by turns of a tenth of a second
 * (telemetry-worker.ts): two isolates, or two processes, would differ by more than what is looked for, even when they do
 * the same. And CPU time of the pipeline alone (telemetry-pipeline.ts), which is precise, and more than its share of a
 * gateway that also has sockets.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import * as z from "zod";
import { startGateway } from "../local/gateway.ts";
import { freePorts } from "../local/ports.ts";
import type { Config } from "../src/config/model.ts";
import { load } from "./load.ts";
import { TURN_MS, TURNS_PATH } from "./telemetry-turns.ts";

/** Of the gateway's requests/s. */
const MARK_RATIO = 0.03;
const WARM_UP_SECONDS = 5;

export interface TelemetryFigures {
  readonly seconds: number;
  /** 1 - with / without, in requests/s. */
  readonly requestsRatio: number;
  /** Two standard errors of it. */
  readonly plusMinus: number;
  readonly pipeline: PipelineFigures;
}

export interface PipelineFigures {
  /** With / without - 1, in CPU time. */
  readonly ratio: number;
  readonly plusMinus: number;
}

export interface TelemetryOptions {
  readonly config: Config;
  readonly secrets: Parameters<typeof startGateway>[0]["secrets"];
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

const turnsReply = z.array(z.tuple([z.number(), z.number()]));

export async function measureTelemetry(options: TelemetryOptions): Promise<TelemetryFigures> {
  const pipeline = await measurePipeline();
  const { config, secrets, headers, connections, seconds } = options;
  const entry = join(import.meta.dirname, "telemetry-worker.ts");
  const gateway = await startGateway({ config, port: await freePorts(1), entry, secrets });
  const [url = ""] = gateway.urls;
  try {
    await load(`${url}/x`, headers, WARM_UP_SECONDS, connections);
    const beganAtMs = Date.now();
    await load(`${url}/x`, headers, seconds, connections);
    const reply: unknown = await (await fetch(url + TURNS_PATH)).json();
    const [first, last] = [
      Math.ceil(beganAtMs / TURN_MS) + 1,
      Math.floor(beganAtMs / TURN_MS) + (seconds * 1_000) / TURN_MS,
    ];
    const requests = new Map(turnsReply.parse(reply).filter(([turn]) => turn > first && turn < last));
    return { seconds, pipeline, ...lossOf(requests) };
  } finally {
    await gateway.stop();
  }
}

/** Each turn with telemetry against those beside it: what else the machine does is about the same in all three. */
function lossOf(requests: ReadonlyMap<number, number>): Pick<TelemetryFigures, "requestsRatio" | "plusMinus"> {
  const pairs = [...requests].flatMap(([turn, on]) => {
    const [before, after] = [requests.get(turn - 1), requests.get(turn + 1)];
    return turn % 2 !== 0 || before === undefined || after === undefined ? [] : [{ on, off: (before + after) / 2 }];
  });
  const sum = (of: (pair: { on: number; off: number }) => number): number =>
    pairs.reduce((total, pair) => total + of(pair), 0);
  const off = sum((pair) => pair.off);
  const ratio = sum(({ on }) => on) / off;
  // Of a ratio of sums.
  const squares = sum((pair) => (pair.on - ratio * pair.off) ** 2);
  return { requestsRatio: 1 - ratio, plusMinus: (2 * Math.sqrt(squares)) / off };
}

function measurePipeline(): Promise<PipelineFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, "telemetry-pipeline.ts"));
    child.once("message", (figures: PipelineFigures) => {
      resolve(figures);
    });
    child.once("exit", (code) => {
      reject(new Error(`the measurement of the pipeline ended with ${code}`));
    });
  });
}

/** True: a figure is above the mark by more than its error. */
export const telemetryFails = ({ requestsRatio, plusMinus, pipeline }: TelemetryFigures): boolean =>
  pipeline.ratio - pipeline.plusMinus > MARK_RATIO || requestsRatio - plusMinus > MARK_RATIO;

export function telemetryReport(figures: TelemetryFigures): string {
  const { seconds, requestsRatio, plusMinus, pipeline } = figures;
  const held = telemetryFails(figures) ? "MISSED" : "held";
  return `telemetry costs ${percent(requestsRatio)} ± ${percent(plusMinus)} % of requests/s (paired, alternating rounds of ${TURN_MS} ms for ${seconds} s), and ${percent(pipeline.ratio)} ± ${percent(pipeline.plusMinus)} % of the pipeline's CPU time; mark ${MARK_RATIO * 100} %: ${held}`;
}

const percent = (ratio: number): string => (ratio * 100).toFixed(1);
