/** One stage of an explanation, and the exchange that it is read off. */
import { REFUSALS } from "../../http/problem.ts";
import type { Env } from "../../platform/bindings.ts";
import type { OriginRequest } from "../call-origin.ts";
import type { Edge } from "../edge.ts";
import type { Exchange } from "../exchange.ts";
import { DEFAULT } from "./config-paths.ts";

export interface Step {
  readonly stage: string;
  readonly decision: string;
  readonly reason: string;
  /** A path in the config file, `default`, or what else it comes from. */
  readonly source: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export type Decided = Omit<Step, "stage">;

/** The exchange behind a stage. */
export interface Seen {
  readonly edge: Edge;
  readonly x: Exchange;
  /** Whose coordinators can be asked for more. */
  readonly env: Env;
  readonly wanted: { readonly tenant: string | undefined; readonly config: string | undefined };
  readonly calls: readonly OriginRequest[];
  readonly answered: boolean;
}

/** Undefined: this stage did not refuse. */
export function refused({ x, answered }: Seen, source: string): Decided | undefined {
  if (!answered || x.refusal === undefined) return undefined;
  const { status, title } = REFUSALS[x.refusal];
  return { decision: "refused", reason: title, source, details: { refusal: x.refusal, status } };
}

export const passed = (
  decision: string,
  reason: string,
  source: string = DEFAULT,
  details: Step["details"] = {},
): Decided => ({ decision, reason, source, details });
