/** Virtual time: events in the order of their instants, and of their making where those are equal. */
interface TimedEvent {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Events that come one after the other, such as arrivals: only the next one is held. */
export interface Stream {
  /** Infinity: no more. */
  nextAtMs: number;
  /** Performs the event at `nextAtMs` and sets the next. */
  fire(): void;
}

export class Timeline {
  nowMs: number;
  readonly #heap: TimedEvent[] = [];
  #order = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  at(atMs: number, run: () => void): void {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  runUntil(endMs: number, stream: Stream = NO_STREAM): void {
    for (;;) {
      const eventAtMs = this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
      if (Math.min(eventAtMs, stream.nextAtMs) > endMs) break;
      if (stream.nextAtMs < eventAtMs) {
        this.nowMs = stream.nextAtMs;
        stream.fire();
      } else {
        this.nowMs = eventAtMs;
        this.#takeFirst()?.run();
      }
    }
    this.nowMs = endMs;
  }

  #takeFirst(): TimedEvent | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let smallest = left;
      if (right !== undefined && isBefore(right, left)) {
        smallest = right;
        child++;
      }
      if (!isBefore(smallest, last)) break;
      heap[index] = smallest;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

const NO_STREAM: Stream = { nextAtMs: Number.POSITIVE_INFINITY, fire: () => undefined };

function isBefore(a: TimedEvent, b: TimedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
