/**
 * What grew lately, for conditions that are about minutes and not about records: tenants' decisions of the last so many
 * milliseconds, and the rare series since the judgement before. In memory only: an object that began anew sees a spike
 * once it has lasted for as long again, and what grew while it was away is nobody's news.
 * Bounds: SLOTS slots, MOST_TENANTS each.
 */
import { OTHER } from "../../policy/kernel/other.ts";
import { addTally, bounded, newTally, type Tally, TENANT_PLACES } from "../../policy/recording/tally.ts";

const SLOTS = 24;
const MOST_TENANTS = 500;

export class Lately {
  #slots: { readonly atMs: number; tally: Tally }[] = [];
  /** Highest totals of each series, by shard. */
  readonly #series = new Map<number, Map<string, number>>();
  #grown: Record<string, number> = {};
  #requests = 0;

  note({ tenants }: Tally, forMs: number, nowMs: number): void {
    const last = this.#slots.at(-1);
    let slot = last;
    if (slot === undefined || nowMs - slot.atMs >= forMs / SLOTS || nowMs < slot.atMs) {
      if (last !== undefined) last.tally = bounded(last.tally, 0, MOST_TENANTS);
      slot = { atMs: nowMs, tally: newTally() };
      this.#slots.push(slot);
    }
    addTally(slot.tally, { routes: new Map(), tenants });
    for (const counts of tenants.values()) {
      this.#requests += (counts[TENANT_PLACES.admitted] ?? 0) + (counts[TENANT_PLACES.throttled] ?? 0);
    }
    this.#forget(forMs, nowMs);
  }

  tenants(
    forMs: number,
    nowMs: number,
  ): Readonly<Record<string, { readonly admitted: number; readonly throttled: number }>> {
    this.#forget(forMs, nowMs);
    const together = newTally();
    for (const { tally } of this.#slots) addTally(together, tally);
    together.tenants.delete(OTHER);
    const decided = [...together.tenants].map(([id, counts]) => {
      const { admitted, throttled } = TENANT_PLACES;
      return [id, { admitted: counts[admitted] ?? 0, throttled: counts[throttled] ?? 0 }] as const;
    });
    return Object.fromEntries(decided);
  }

  noteSeries(shard: number, totals: Readonly<Record<string, number>>): void {
    const known = this.#series.get(shard);
    const highest = known ?? new Map<string, number>();
    for (const [series, total] of Object.entries(totals)) {
      const was = highest.get(series) ?? 0;
      if (total <= was) continue;
      // The first reading says nothing of when.
      if (known !== undefined) this.#grown[series] = (this.#grown[series] ?? 0) + total - was;
      highest.set(series, total);
    }
    this.#series.set(shard, highest);
  }

  /** Counted by this object itself. */
  noteGrown(series: string, by: number): void {
    this.#grown[series] = (this.#grown[series] ?? 0) + by;
  }

  /** Since the last time it was asked; and how many requests were decided meanwhile. */
  takeGrown(): { readonly grown: Readonly<Record<string, number>>; readonly requests: number } {
    const taken = { grown: this.#grown, requests: this.#requests };
    this.#grown = {};
    this.#requests = 0;
    return taken;
  }

  #forget(forMs: number, nowMs: number): void {
    this.#slots = this.#slots.filter(({ atMs }) => nowMs - atMs < forMs && atMs <= nowMs).slice(-SLOTS - 1);
  }
}
