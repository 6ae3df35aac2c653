/**
 * Who weighs most, of more keys than are remembered: each key that comes has a counter, and when all are taken the
 * lightest one's, with its weight. Guarantees, W being all weight added: every key with more than W / capacity is
 * remembered; a key's weight here is at least its true one, and above it by `error` at most, which is never more than the
 * least weight here, which is never more than W / capacity. A sum over several sketches keeps the first: a key with more
 * than all their W / capacity is above that in one of them.
 *
 * Bounds: `capacity` keys. Cost: O(log capacity) for each key that comes. `halve` lets what is long past count less; W is
 * halved with it. It forgets no key that is heavy, and knows nothing of what it forgot.
 * Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements" (2005).
 */
export interface Counter {
  readonly key: string;
  weight: number;
  /** Weight that may be of others who had this counter before. */
  error: number;
  place: number;
}

export interface Sketch {
  readonly capacity: number;
  readonly counters: Map<string, Counter>;
  /** The lightest first: a binary heap. */
  readonly heap: Counter[];
}

export const newSketch = (capacity: number): Sketch => ({ capacity, counters: new Map(), heap: [] });

/** The key that gave way, if one did. `weight` > 0. */
export function weigh(sketch: Sketch, key: string, weight: number): string | undefined {
  const known = sketch.counters.get(key);
  if (known !== undefined) {
    known.weight += weight;
    sink(sketch.heap, known);
    return undefined;
  }
  if (sketch.heap.length < sketch.capacity) {
    restoreCounter(sketch, key, weight, 0);
    return undefined;
  }
  const [lightest] = sketch.heap;
  if (lightest === undefined) return key;
  sketch.counters.delete(lightest.key);
  const counter = { key, weight: lightest.weight + weight, error: lightest.weight, place: 0 };
  sketch.counters.set(key, counter);
  sketch.heap[0] = counter;
  sink(sketch.heap, counter);
  return lightest.key;
}

/** As it was stored; also how a sketch with room takes a key. One more than it has room for is passed over. */
export function restoreCounter(sketch: Sketch, key: string, weight: number, error: number): void {
  const { counters, heap } = sketch;
  if (counters.has(key) || heap.length >= sketch.capacity) return;
  const counter = { key, weight, error, place: heap.length };
  counters.set(key, counter);
  heap.push(counter);
  rise(heap, counter);
}

/** Halves all weights: the order stays. */
export function halve(sketch: Sketch): void {
  for (const counter of sketch.heap) {
    counter.weight /= 2;
    counter.error /= 2;
  }
}

function put(heap: Counter[], place: number, counter: Counter): void {
  heap[place] = counter;
  counter.place = place;
}

function rise(heap: Counter[], counter: Counter): void {
  while (counter.place > 0) {
    const parent = heap[(counter.place - 1) >> 1];
    if (parent === undefined || parent.weight <= counter.weight) return;
    const { place } = parent;
    put(heap, counter.place, parent);
    put(heap, place, counter);
  }
}

function sink(heap: Counter[], counter: Counter): void {
  for (;;) {
    const left = heap[2 * counter.place + 1];
    const right = heap[2 * counter.place + 2];
    const lighter = right !== undefined && left !== undefined && right.weight < left.weight ? right : left;
    if (lighter === undefined || lighter.weight >= counter.weight) return;
    const { place } = lighter;
    put(heap, counter.place, lighter);
    put(heap, place, counter);
  }
}
