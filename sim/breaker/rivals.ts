/**
 * Breakers of their own in each isolate, at their published defaults, and one plain window for the world. They are models
 * of a class of designs, not measurements of a library.
 */
import type { BreakerContext, BreakerDesign } from "./world.ts";

interface LibraryDefaults {
  /** Calls are remembered for so long, or so many of them. */
  readonly window: { readonly kind: "time"; readonly ms: number } | { readonly kind: "count"; readonly calls: number };
  readonly leastCalls: number;
  readonly failureRatio: number;
  readonly openMs: number;
  /** Calls let through half-open, and successes of them that close. */
  readonly trials: number;
}

/** resilience4j CircuitBreakerConfig: the last 100 calls, 50 %, open 60 s, 10 trials. */
const RESILIENCE4J: LibraryDefaults = {
  window: { kind: "count", calls: 100 },
  leastCalls: 100,
  failureRatio: 0.5,
  openMs: 60_000,
  trials: 10,
};
/** HystrixCommandProperties: 10 s, at least 20 calls, 50 %, sleeps 5 s, 1 trial. */
const HYSTRIX: LibraryDefaults = {
  window: { kind: "time", ms: 10_000 },
  leastCalls: 20,
  failureRatio: 0.5,
  openMs: 5_000,
  trials: 1,
};
/** opossum: 10 s, no least number of calls, 50 %, reset after 30 s, 1 trial. */
const OPOSSUM: LibraryDefaults = {
  window: { kind: "time", ms: 10_000 },
  leastCalls: 1,
  failureRatio: 0.5,
  openMs: 30_000,
  trials: 1,
};
const PLAIN_WINDOW: LibraryDefaults = {
  window: { kind: "time", ms: 10_000 },
  leastCalls: 20,
  failureRatio: 0.5,
  openMs: 5_000,
  trials: 1,
};

export const BREAKER_RIVALS: Readonly<Record<string, (context: BreakerContext) => BreakerDesign>> = {
  "resilience4j-like": (context) => perIsolate(context, RESILIENCE4J),
  "Hystrix-like": (context) => perIsolate(context, HYSTRIX),
  "opossum-like": (context) => perIsolate(context, OPOSSUM),
  "plain 10 s / 50 % window": plainWindow,
};

class Library {
  state: "closed" | "open" | "half-open" = "closed";
  trialsOut = 0;
  readonly #defaults: LibraryDefaults;
  #calls: { readonly atMs: number; readonly failed: boolean }[] = [];
  #openedAtMs = 0;
  #successes = 0;
  readonly #moved: (to: string) => void;

  constructor(defaults: LibraryDefaults, moved: (to: string) => void) {
    this.#defaults = defaults;
    this.#moved = moved;
  }

  mayGo(nowMs: number): boolean {
    if (this.state === "open" && nowMs - this.#openedAtMs >= this.#defaults.openMs) {
      this.#move("half-open");
      this.#successes = 0;
      this.trialsOut = 0;
    }
    if (this.state === "closed") return true;
    if (this.state === "open" || this.trialsOut >= this.#defaults.trials) return false;
    this.trialsOut++;
    return true;
  }

  ended(failed: boolean, nowMs: number): void {
    if (this.state === "half-open") {
      this.trialsOut = Math.max(0, this.trialsOut - 1);
      if (failed) this.#open(nowMs);
      else if (++this.#successes >= this.#defaults.trials) {
        this.#calls = [];
        this.#move("closed");
      }
      return;
    }
    if (this.state === "open") return;
    const { window, leastCalls, failureRatio } = this.#defaults;
    this.#calls.push({ atMs: nowMs, failed });
    if (window.kind === "count") this.#calls = this.#calls.slice(-window.calls);
    else while ((this.#calls[0]?.atMs ?? nowMs) < nowMs - window.ms) this.#calls.shift();
    const failures = this.#calls.reduce((sum, call) => sum + (call.failed ? 1 : 0), 0);
    if (this.#calls.length >= leastCalls && failures / this.#calls.length >= failureRatio) this.#open(nowMs);
  }

  #open(nowMs: number): void {
    this.#openedAtMs = nowMs;
    this.#calls = [];
    this.#move("open");
  }

  #move(to: typeof this.state): void {
    this.state = to;
    this.#moved(to);
  }
}

function perIsolate({ timeline, isolates, calls }: BreakerContext, defaults: LibraryDefaults): BreakerDesign {
  const transitions: { atMs: number; to: string }[] = [];
  let probes = 0;
  let mostProbes = 0;
  const breakers = Array.from(
    { length: isolates },
    () => new Library(defaults, (to) => transitions.push({ atMs: timeline.nowMs, to })),
  );
  return {
    transitions,
    get mostProbes() {
      return mostProbes;
    },
    request: (isolate) => {
      const breaker = breakers[isolate];
      if (breaker === undefined || !breaker.mayGo(timeline.nowMs)) return;
      const isTrial = breaker.state === "half-open";
      if (isTrial) mostProbes = Math.max(mostProbes, ++probes);
      calls.send(isolate, (failed) => {
        if (isTrial) probes--;
        breaker.ended(failed, timeline.nowMs);
      });
    },
  };
}

/** One window for the world, told at once of every call and asked before it: the best a ratio over a window can do. */
function plainWindow({ timeline, calls }: BreakerContext): BreakerDesign {
  const transitions: { atMs: number; to: string }[] = [];
  const breaker = new Library(PLAIN_WINDOW, (to) => transitions.push({ atMs: timeline.nowMs, to }));
  return {
    transitions,
    mostProbes: PLAIN_WINDOW.trials,
    request: (isolate) => {
      if (!breaker.mayGo(timeline.nowMs)) return;
      calls.send(isolate, (failed) => {
        breaker.ended(failed, timeline.nowMs);
      });
    },
  };
}
