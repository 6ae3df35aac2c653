/** What isolates counted is counted once in the object, whatever becomes of messages, of the object, and of isolates. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { type Ledger, newLedger, type Sent, takeBatches } from "../../../src/policy/telemetry/ledger.ts";
import { linesOf, takeLine } from "../../../src/policy/telemetry/ledger-lines.ts";
import {
  close,
  confirm,
  hasRoom,
  MAX_UNCONFIRMED,
  needsReply,
  newUnconfirmed,
  type Unconfirmed,
  unsent,
} from "../../../src/policy/telemetry/unconfirmed.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? Math.floor(Math.random() * 1e9));

interface Isolate {
  readonly id: string;
  readonly queue: Unconfirmed;
  /** By number, from 1 on. */
  readonly closed: number[];
}

interface Reply {
  readonly to: Isolate;
  readonly received: number;
  readonly durable: number;
}

class World {
  readonly isolates: Isolate[] = [];
  readonly dead: Isolate[] = [];
  readonly #random: () => number;
  #ledger = newLedger(0);
  #stored: string[] = [];
  #calls: { readonly from: Isolate; readonly sent: Sent }[] = [];
  #replies: Reply[] = [];
  #born = 0;

  constructor(random: () => number) {
    this.#random = random;
    for (let index = 0; index < 3; index++) this.bear();
  }

  bear(): void {
    this.isolates.push({ id: `edge-${this.#born++}`, queue: newUnconfirmed(), closed: [] });
  }

  step(): void {
    const isolate = this.#pick(this.isolates);
    if (isolate === undefined) return;
    const roll = this.#random();
    if (roll < 0.3) this.#close(isolate);
    else if (roll < 0.55) this.#send(isolate);
    else if (roll < 0.75) this.#deliverCall();
    else if (roll < 0.9) this.#deliverReply();
    else if (roll < 0.95) this.store();
    else if (roll < 0.985) this.evict();
    else this.#kill(isolate);
  }

  store(): void {
    this.#stored = [...linesOf(this.#ledger)];
    for (const mark of this.#ledger.edges.values()) mark.durable = mark.received;
  }

  evict(): void {
    this.#ledger = newLedger(0);
    for (const line of this.#stored) takeLine(this.#ledger, line);
  }

  /** Nothing is lost any more, and isolates go on until all is stored. */
  settle(): void {
    this.#calls = [];
    for (const stage of ["as it is", "with one batch more", "stored"]) {
      for (const isolate of this.isolates) {
        if (stage === "with one batch more") this.#close(isolate);
        for (let round = 0; round < 2 && needsReply(isolate.queue); round++) {
          const { received, durable } = takeBatches(this.#ledger, sentBy(isolate), 0);
          confirm(isolate.queue, received, durable);
        }
      }
      this.store();
    }
  }

  total(isolate: Isolate): number {
    return this.#ledger.series.get(isolate.id) ?? 0;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  #close({ id, queue, closed }: Isolate): void {
    if (!hasRoom(queue)) return;
    const count = 1 + Math.floor(this.#random() * 9);
    closed.push(count);
    close(queue, { spanMs: 1_000, routes: [], tenants: [], events: { [id]: count } });
  }

  #send(from: Isolate): void {
    if (needsReply(from.queue)) this.#calls.push({ from, sent: sentBy(from) });
  }

  /** Some call on its way: the newest or an older one; it may come again. */
  #deliverCall(): void {
    const call = this.#pick(this.#calls);
    if (call === undefined) return;
    if (this.#random() < 0.7) this.#calls = this.#calls.filter((other) => other !== call);
    this.#answer(call.from, call.sent);
  }

  #answer(to: Isolate, sent: Sent): void {
    const { received, durable } = takeBatches(this.#ledger, sent, 0);
    this.#replies.push({ to, received, durable });
  }

  #deliverReply(): void {
    const reply = this.#pick(this.#replies);
    if (reply === undefined) return;
    this.#replies = this.#replies.filter((other) => other !== reply);
    if (this.#random() < 0.8) confirm(reply.to.queue, reply.received, reply.durable);
  }

  #kill(isolate: Isolate): void {
    this.isolates.splice(this.isolates.indexOf(isolate), 1);
    this.dead.push(isolate);
    this.bear();
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }
}

const sentBy = ({ id, queue }: Isolate): Sent => ({ edgeId: id, durable: queue.durable, batches: unsent(queue) });
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

describe(`counting once, seed ${SEED}`, () => {
  it("holds for messages that are lost, late, repeated, and for an object that is evicted", () => {
    let evicted = 0;
    for (let round = 0; round < 100; round++) {
      const world = new World(seeded(SEED + round));
      for (let step = 0; step < 400; step++) {
        world.step();
        for (const { queue } of world.isolates) expect(queue.batches.length).toBeLessThanOrEqual(MAX_UNCONFIRMED);
      }
      world.settle();
      for (const isolate of world.isolates) {
        expect([round, world.total(isolate)]).toEqual([round, sum(isolate.closed)]);
        expect(hasRoom(isolate.queue)).toBe(true);
      }
      // Of an isolate that is gone, all that it was told is stored, and nothing twice.
      for (const isolate of world.dead) {
        const prefixes = isolate.closed.map((_, index) => sum(isolate.closed.slice(0, index + 1)));
        expect([0, ...prefixes].slice(isolate.queue.durable)).toContain(world.total(isolate));
        evicted++;
      }
      expect(world.ledger.series.get("weir_metrics_lines_unreadable_total")).toBeUndefined();
      expect(world.ledger.series.get("weir_metrics_batches_missing_total")).toBeUndefined();
    }
    expect(evicted).toBeGreaterThan(100);
  });

  it("says how many batches are missing in an object whose storage was set back", () => {
    const ledger = newLedger(0);
    const batch = { seq: 8, spanMs: 1_000, routes: [], tenants: [], events: { a: 1 } };
    takeBatches(ledger, { edgeId: "edge", durable: 0, batches: [{ ...batch, seq: 1 }] }, 0);
    expect(takeBatches(ledger, { edgeId: "edge", durable: 7, batches: [batch] }, 0).received).toBe(8);
    expect(Object.fromEntries(ledger.series)).toEqual({ a: 2, weir_metrics_batches_missing_total: 6 });
  });
});

describe("a ledger", () => {
  it("forgets the isolates that it heard longest ago, above five thousand, and counts them", () => {
    const ledger = newLedger(0);
    for (let index = 0; index < 5_010; index++)
      takeBatches(ledger, { edgeId: `e${index}`, durable: 0, batches: [] }, index);
    expect([ledger.edges.size, ledger.edges.has("e9"), ledger.edges.has("e10")]).toEqual([5_000, false, true]);
    expect(ledger.series.get("weir_metrics_edges_forgotten_total")).toBe(10);
    takeBatches(ledger, { edgeId: "new", durable: 0, batches: [] }, 86_400_000 + 2_000);
    expect(ledger.series.get("weir_metrics_edges_forgotten_total")).toBe(10 + 1_991);
  });

  it("is read back as it was stored; what cannot be read is passed over and counted", () => {
    const ledger = newLedger(0);
    const counts = { admitted: 1, throttled: 2, shadowed: 3, tokens: 4.5, durationSecondsSum: 0.25 };
    const tenants = Array.from({ length: 1_200 }, (_, index) => ({ tenant: `t${index}`, ...counts }));
    const route = { outcomes: [1, 2], buckets: [3], goodBuckets: [4], durationSecondsSum: 5 };
    const routes = [
      { route: "r", origin: "o", ...route },
      { route: "r", origin: "p", ...route },
    ];
    takeBatches(
      ledger,
      {
        edgeId: "e",
        durable: 0,
        batches: [{ seq: 1, spanMs: 1, routes, tenants: tenants.slice(0, 600), events: { a: 1 } }],
      },
      9,
    );
    takeBatches(
      ledger,
      {
        edgeId: "e",
        durable: 0,
        batches: [{ seq: 2, spanMs: 1, routes, tenants: tenants.slice(600), events: { a: 1 } }],
      },
      9,
    );
    const lines = [...linesOf(ledger)];
    const read = newLedger(0);
    for (const line of lines) takeLine(read, line);
    expect([...linesOf(read)].toSorted()).toEqual(lines.toSorted());
    for (const line of [
      "{",
      "null",
      "[]",
      '["of-later","x"]',
      '["series","x","y"]',
      '["edge","e",-1,0]',
      '["tenant","t",[1],1,null]',
    ])
      takeLine(read, line);
    expect(read.series.get("weir_metrics_lines_unreadable_total")).toBe(7);
  });
});
