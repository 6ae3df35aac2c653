/**
 * What the escrow lease is compared with, each the best case of its kind: no loss, no restart, no death of isolates.
 * They are models of a class of designs, not measurements of a product.
 */
import type { LimitSpec } from "../../src/policy/limits/types.ts";
import type { Timeline } from "../kernel/timeline.ts";
import { IdealBucket, Ledger } from "./ledger.ts";
import type { Network } from "./network.ts";

export interface Limiter {
  readonly ledger: Ledger;
  calls: number;
  waited: number;
  request(isolate: number): void;
}

export interface RivalContext {
  readonly spec: LimitSpec;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly isolates: number;
  readonly popOf: (isolate: number) => number;
}

export const RIVALS: Readonly<Record<string, (context: RivalContext) => Limiter>> = {
  "one call per request": oneCallPerRequest,
  "async 1 s counters": asyncCounters,
  "per-PoP limits": perPop,
};

/** A Durable Object per key, or Redis: exact, and every request waits for it. */
function oneCallPerRequest({ spec, timeline, network, popOf }: RivalContext): Limiter {
  const bucket = new IdealBucket(spec, timeline.nowMs);
  const limiter: Limiter = {
    ledger: new Ledger(spec, timeline.nowMs),
    calls: 0,
    waited: 0,
    request: (isolate) => {
      limiter.waited++;
      timeline.at(timeline.nowMs + network.oneWayMs(popOf(isolate)), () => {
        limiter.calls++;
        if (bucket.take(timeline.nowMs, 1)) limiter.ledger.admit(timeline.nowMs, 1);
      });
    },
  };
  return limiter;
}

const SYNC_MS = 1_000;

/** Each isolate decides by its own copy of the bucket, and brings it up to date with the middle once a second. */
function asyncCounters({ spec, timeline, network, isolates, popOf }: RivalContext): Limiter {
  const middle = new IdealBucket(spec, timeline.nowMs);
  const copies = Array.from({ length: isolates }, () => ({ bucket: new IdealBucket(spec, timeline.nowMs), taken: 0 }));
  const limiter: Limiter = {
    ledger: new Ledger(spec, timeline.nowMs),
    calls: 0,
    waited: 0,
    request: (isolate) => {
      const copy = copies[isolate];
      if (copy === undefined || !copy.bucket.take(timeline.nowMs, 1)) return;
      copy.taken++;
      limiter.ledger.admit(timeline.nowMs, 1);
    },
  };
  const sync = (isolate: number): void => {
    const copy = copies[isolate];
    if (copy === undefined) return;
    const { taken } = copy;
    copy.taken = 0;
    timeline.at(timeline.nowMs + network.oneWayMs(popOf(isolate)), () => {
      limiter.calls++;
      middle.drain(timeline.nowMs, taken);
      const level = middle.levelAt(timeline.nowMs);
      timeline.at(timeline.nowMs + network.oneWayMs(popOf(isolate)), () => {
        copy.bucket.set(timeline.nowMs, level - copy.taken);
      });
    });
    timeline.at(timeline.nowMs + SYNC_MS, () => sync(isolate));
  };
  for (let isolate = 0; isolate < isolates; isolate++) {
    timeline.at(timeline.nowMs + Math.floor((isolate * SYNC_MS) / isolates), () => sync(isolate));
  }
  return limiter;
}

/** A limiter in each location that knows nothing of the others. */
function perPop({ spec, timeline, isolates, popOf }: RivalContext): Limiter {
  const pops = new Set(Array.from({ length: isolates }, (_, isolate) => popOf(isolate)));
  const buckets = new Map([...pops].map((pop) => [pop, new IdealBucket(spec, timeline.nowMs)]));
  const limiter: Limiter = {
    ledger: new Ledger(spec, timeline.nowMs),
    calls: 0,
    waited: 0,
    request: (isolate) => {
      if (buckets.get(popOf(isolate))?.take(timeline.nowMs, 1) === true) limiter.ledger.admit(timeline.nowMs, 1);
    },
  };
  return limiter;
}
