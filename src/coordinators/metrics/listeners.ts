/**
 * Who watches live decisions, and what came for them. In memory only: when the object is evicted, listeners make
 * themselves known again with their next question, and what was not asked for is gone.
 *
 * Bounds: MAX_LISTENERS, MAX_WAITING decisions for each (the oldest go, and are counted as dropped). A listener that has
 * not asked for LISTEN_MS is none any more, and the isolates hear of it with their next flush.
 */
import {
  MAX_DECISIONS,
  MAX_LISTENERS,
  type TailOrder,
  type TailPart,
  type TailReply,
  type TailRequest,
} from "../../protocol/metrics.ts";
import type { Decision, TailFilter } from "../../policy/tail/sample.ts";

export const LISTEN_MS = 15_000;
const MAX_WAITING = 500;
/** Decisions a second that all isolates of this shard together may send for one listener. */
const MOST_PER_SECOND = 100;
/** More room than a second: numbers of a listener that began anew go on above those it had before. */
const NUMBERS_PER_MS = 1_000;

interface Listener {
  filter: TailFilter;
  untilMs: number;
  waiting: Decision[];
  /** Of the newest that waits. */
  number: number;
  matched: number;
  dropped: number;
}

export class Listeners {
  readonly #listeners = new Map<string, Listener>();

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /** `edges`: isolates heard lately. */
  ask({ listener: name, filter, after }: TailRequest, edges: number, nowMs: number): TailReply {
    this.#forgetSilent(nowMs);
    let listener = this.#listeners.get(name);
    if (listener === undefined) {
      if (this.#listeners.size >= MAX_LISTENERS) return { kind: "full", listeners: this.#listeners.size };
      listener = { filter, untilMs: 0, waiting: [], number: nowMs * NUMBERS_PER_MS, matched: 0, dropped: 0 };
      this.#listeners.set(name, listener);
    }
    listener.filter = filter;
    listener.untilMs = nowMs + LISTEN_MS;
    const { number, matched, dropped } = listener;
    listener.waiting = listener.waiting.slice(Math.max(0, listener.waiting.length - Math.max(0, number - after)));
    const decisions = listener.waiting.toSorted((a, b) => a.atMs - b.atMs);
    return { kind: "heard", decisions, next: number, matched, dropped, edges };
  }

  take(parts: readonly TailPart[]): void {
    for (const { listener: name, matched, decisions } of parts.slice(0, MAX_LISTENERS)) {
      const listener = this.#listeners.get(name);
      if (listener === undefined) continue;
      const taken = decisions.slice(0, MAX_DECISIONS);
      listener.matched += Math.max(matched, taken.length);
      listener.dropped += Math.max(0, matched - taken.length);
      listener.waiting.push(...taken);
      listener.number += taken.length;
      const excess = listener.waiting.length - MAX_WAITING;
      if (excess <= 0) continue;
      listener.waiting.splice(0, excess);
      listener.dropped += excess;
    }
  }

  /** Undefined: nobody watches. */
  order(edges: number, nowMs: number): TailOrder | undefined {
    this.#forgetSilent(nowMs);
    if (this.isEmpty) return undefined;
    return {
      listeners: [...this.#listeners].map(([listener, { filter }]) => ({ listener, filter })),
      most: Math.min(MAX_DECISIONS, Math.max(1, Math.floor(MOST_PER_SECOND / Math.max(1, edges)))),
      forMs: LISTEN_MS,
    };
  }

  #forgetSilent(nowMs: number): void {
    for (const [name, { untilMs }] of this.#listeners) if (nowMs > untilMs) this.#listeners.delete(name);
  }
}
