/** The WAN of a simulated world: a round trip for each PoP, jitter that reorders, loss, duplication, an outage. */
import type { Timeline } from "../kernel/timeline.ts";

export interface NetworkOptions {
  /** Round trip between a PoP and the coordinator, milliseconds, by PoP. */
  readonly roundTripMs: (pop: number) => number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
}

/** A message in so many takes this many times its usual way: it is overtaken by later ones. */
const SLOW_RATIO = 0.01;
const SLOW_FACTOR = 4;

export class Network {
  /** Nothing arrives before this instant: the coordinator is away. */
  awayUntilMs = 0;
  readonly #options: NetworkOptions;
  readonly #timeline: Timeline;
  readonly #random: () => number;

  constructor(options: NetworkOptions, timeline: Timeline, random: () => number) {
    this.#options = options;
    this.#timeline = timeline;
    this.#random = random;
  }

  /** One way between a PoP and the coordinator; `deliver` runs never, once or twice. */
  send(pop: number, deliver: () => void): void {
    const copies = this.#random() < this.#options.duplicateRatio ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random() < this.#options.lossRatio) continue;
      this.#timeline.at(this.#timeline.nowMs + this.oneWayMs(pop), () => {
        if (this.#timeline.nowMs >= this.awayUntilMs) deliver();
      });
    }
  }

  oneWayMs(pop: number): number {
    const usual = (this.#options.roundTripMs(pop) / 2) * (0.9 + 0.3 * this.#random());
    return Math.ceil(this.#random() < SLOW_RATIO ? usual * SLOW_FACTOR : usual);
  }
}
