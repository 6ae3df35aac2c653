/** Requests as they arrive: a Poisson stream whose rate and place may change over time. Whole milliseconds. */
import { exponentialMs, weightedPick } from "../kernel/random.ts";
import type { Stream } from "../kernel/timeline.ts";

/** Demand that holds for a while. */
export interface Phase {
  readonly forMs: number;
  readonly ratePerSecond: number;
  /** Share of each isolate in the demand, in any unit; undefined: all alike. */
  readonly weights?: readonly number[];
}

export class Arrivals implements Stream {
  nextAtMs = 0;
  readonly #phases: readonly { readonly endMs: number; readonly ratePerSecond: number; readonly pick: () => number }[];
  readonly #random: () => number;
  readonly #arrive: (isolate: number) => void;
  #exactMs: number;
  #phase = 0;

  constructor(
    startMs: number,
    phases: readonly Phase[],
    isolates: number,
    random: () => number,
    arrive: (isolate: number) => void,
  ) {
    let endMs = startMs;
    this.#phases = phases.map(({ forMs, ratePerSecond, weights }) => ({
      endMs: (endMs += forMs),
      ratePerSecond,
      pick: weights === undefined ? () => Math.floor(random() * isolates) : weightedPick(weights, random),
    }));
    this.#random = random;
    this.#arrive = arrive;
    this.#exactMs = startMs;
    this.#next();
  }

  fire(): void {
    this.#arrive(this.#phases[this.#phase]?.pick() ?? 0);
    this.#next();
  }

  #next(): void {
    for (;;) {
      const phase = this.#phases[this.#phase];
      if (phase === undefined) {
        this.nextAtMs = Number.POSITIVE_INFINITY;
        return;
      }
      const atMs = this.#exactMs + exponentialMs(phase.ratePerSecond, this.#random);
      if (atMs < phase.endMs) {
        this.#exactMs = atMs;
        this.nextAtMs = Math.ceil(atMs);
        return;
      }
      this.#exactMs = phase.endMs;
      this.#phase++;
    }
  }
}
