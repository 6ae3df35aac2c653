/**
 * Decisions for who watches them: kept from one flush to the next, and sent with it. Whether somebody watches rides back
 * on every flush's reply; while nobody does, a request costs one look at `listening`.
 */
import { legible } from "../policy/kernel/legible.ts";
import { type Decision, matches, newSample, offer, type Sample, type TailFilter } from "../policy/tail/sample.ts";
import { shownPath } from "../policy/tail/shown-path.ts";
import type { Outcome, TailOrder, TailPart } from "../protocol/metrics.ts";
import type { Exchange } from "./exchange.ts";

const MAX_NAME = 64;

interface Watched {
  readonly filter: TailFilter;
  sample: Sample;
}

export class Tail {
  /** Somebody watches. */
  listening = false;
  #watched = new Map<string, Watched>();
  #most = 0;
  #untilMs = 0;

  /** With each reply; undefined: nobody watches any more. */
  follow(order: TailOrder | undefined, nowMs: number): void {
    const before = this.#watched;
    this.#watched = new Map(
      order?.listeners.map(({ listener, filter }) => {
        return [listener, { filter, sample: before.get(listener)?.sample ?? newSample() }];
      }),
    );
    this.#most = order?.most ?? 0;
    this.#untilMs = nowMs + (order?.forMs ?? 0);
    this.listening = this.#watched.size > 0;
  }

  /** Only while `listening`. */
  offer(x: Exchange, status: number, outcome: Outcome, nowMs: number, random: () => number): void {
    if (nowMs > this.#untilMs) {
      this.follow(undefined, nowMs);
      return;
    }
    const decision = decisionOf(x, status, outcome, nowMs);
    for (const { filter, sample } of this.#watched.values()) {
      if (matches(filter, decision)) offer(sample, decision, this.#most, random());
    }
  }

  /** Undefined: there is nothing to tell. */
  take(): readonly TailPart[] | undefined {
    if (!this.listening) return undefined;
    const parts: TailPart[] = [];
    for (const [listener, watched] of this.#watched) {
      const { matched, kept } = watched.sample;
      if (matched > 0) parts.push({ listener, matched, decisions: kept });
      watched.sample = newSample();
    }
    return parts.length === 0 ? undefined : parts;
  }
}

/** What is told of a request, to those who watch and to the log. */
export function decisionOf(x: Exchange, status: number, outcome: Outcome, nowMs: number): Decision {
  return {
    atMs: x.startedAtMs,
    requestId: x.requestId,
    tenant: x.caller?.tenant.id ?? null,
    route: x.route?.id ?? null,
    method: legible(x.method, MAX_NAME),
    path: shownPath(x.url?.path ?? ""),
    status,
    outcome,
    served: x.served ?? null,
    refusal: x.refusal ?? null,
    decidedBy: x.admission?.decidedBy ?? null,
    violated: x.violated.map(({ name }) => name),
    durationMs: Math.max(0, nowMs - x.startedAtMs),
    pop: x.pop,
  };
}
