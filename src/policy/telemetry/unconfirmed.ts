/**
 * An isolate's batches until they are stored: each is sent once, and again from where the reply says that it is needed,
 * because a message was lost or the object was evicted before it stored. Guarantee, with ledger.ts: each batch that was
 * closed is counted exactly once while isolate and object go on; what an isolate holds here when it dies is lost unless it
 * was received.
 *
 * Bound: MAX_UNCONFIRMED batches. While so many wait none is closed: counts stay where they are counted, and nothing is
 * dropped.
 */
import type { MetricsBatch } from "./counts.ts";

export const MAX_UNCONFIRMED = 16;

export interface Unconfirmed {
  seq: number;
  /** As the last reply said. */
  received: number;
  durable: number;
  /** Those above `durable`, the oldest first. */
  batches: readonly MetricsBatch[];
}

export const newUnconfirmed = (): Unconfirmed => ({ seq: 0, received: 0, durable: 0, batches: [] });

export const hasRoom = ({ batches }: Unconfirmed): boolean => batches.length < MAX_UNCONFIRMED;

export function close(queue: Unconfirmed, counted: Omit<MetricsBatch, "seq">): void {
  queue.seq++;
  queue.batches = [...queue.batches, { seq: queue.seq, ...counted }];
}

/** There is something to send, or no room until the object says what it has stored. */
export const needsReply = (queue: Unconfirmed): boolean => queue.seq > queue.received || !hasRoom(queue);

/** To be sent now. */
export const unsent = ({ batches, received }: Unconfirmed): readonly MetricsBatch[] =>
  batches.filter(({ seq }) => seq > received);

/** A reply; it may be late, or come twice. */
export function confirm(queue: Unconfirmed, received: number, durable: number): void {
  queue.durable = Math.min(queue.seq, Math.max(queue.durable, durable));
  queue.received = Math.min(queue.seq, Math.max(queue.durable, received));
  queue.batches = queue.batches.filter(({ seq }) => seq > queue.durable);
}
