/**
 * The Monitor object's alerts: what fires, who is told, and each try to tell. State and outbox are written in one
 * transaction, so nothing is told that is not known, and nothing known is left untold; a try is noted before it is made, and
 * its end after it: dying in between makes one more try under the same id.
 */
import { decideAlerts } from "../../policy/alerting/machine.ts";
import { MAX_SILENCES } from "../../policy/alerting/quiet.ts";
import { fateOf, type Tried } from "../../policy/alerting/retry.ts";
import type { Alert, AlertSettings, Condition, Silence, ToldAlert } from "../../policy/alerting/types.ts";
import type { AlertView, DeliveryView } from "../../protocol/monitor.ts";
import { AlertTable } from "./alert-table.ts";
import { DELIVERY_TIMEOUT_MS, tryDelivery } from "./delivery.ts";
import { type DueDelivery, OutboxTable } from "./outbox-table.ts";

/** Tries in one round, as the platform has connections at once; rounds in a row: more waits for the next alarm. */
const TRIES_AT_ONCE = 6;
const MAX_ROUNDS = 10;
/** One that is slow holds up nobody but itself. */
const TRIES_AT_ONE_RECEIVER = 3;
/** A try whose end was never stored is made again after this. */
const LOST_TRY_MS = DELIVERY_TIMEOUT_MS + 5_000;

/** Called inside the transaction that notes a first try. */
export type NoteFirstTry = (alerts: readonly ToldAlert[], atMs: number) => void;

export class Alerts {
  readonly #storage: DurableObjectStorage;
  /** Where receivers' secrets are, by name. */
  readonly #env: object;
  readonly #noteFirstTry: NoteFirstTry;
  readonly #table: AlertTable;
  readonly #outbox: OutboxTable;
  #alerts: ReadonlyMap<string, Alert>;
  #silences: readonly Silence[];
  /** Tries under way, by receiver. */
  readonly #underWay = new Map<string, number>();
  #nextAtMs = 0;
  #passedOver = 0;

  constructor(storage: DurableObjectStorage, env: object, noteFirstTry: NoteFirstTry) {
    this.#storage = storage;
    this.#env = env;
    this.#noteFirstTry = noteFirstTry;
    this.#table = new AlertTable(storage);
    this.#outbox = new OutboxTable(storage);
    this.#alerts = this.#table.loadAlerts();
    this.#silences = this.#table.loadSilences();
  }

  /** A turn: `conditions` is all that is true now. What it throws has changed nothing. */
  evaluate(nowMs: number, conditions: readonly Condition[], settings: AlertSettings): void {
    const decided = decideAlerts(this.#alerts, conditions, this.#silences, settings, nowMs, this.#outbox.room());
    const { alerts, changed, removed, notifications, passedOver, nextAtMs } = decided;
    const over = this.#silences.filter(({ untilMs }) => untilMs <= nowMs);
    if (changed.length + removed.length + notifications.length + over.length > 0) {
      this.#storage.transactionSync(() => {
        this.#table.save(changed, removed);
        for (const notification of notifications) this.#outbox.add(notification);
        for (const { id } of over) this.#table.removeSilence(id);
      });
    }
    this.#alerts = alerts;
    this.#silences = this.#silences.filter(({ untilMs }) => untilMs > nowMs);
    this.#nextAtMs = nextAtMs;
    this.#passedOver += passedOver;
  }

  /** When `evaluate` has something to do even if nothing new became true. */
  evaluateAtMs(): number {
    return this.#nextAtMs;
  }

  /** When `deliverDue` has something to do; undefined: nothing waits, but for what waits for tries under way. */
  dueAtMs(): number | undefined {
    const free = this.#outbox.heads().filter(({ receiver }) => this.#mayTry(receiver));
    return free.length === 0 ? undefined : Math.min(...free.map(({ at_ms }) => at_ms));
  }

  /** Tries what is due, also what becomes due by it. May be called while it runs: no try is made twice. */
  async deliverDue(settings: AlertSettings): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const due = this.#storage.transactionSync(() => this.#begin(Date.now()));
      if (due.length === 0) return;
      const tries = due.map((delivery) => this.#deliver(delivery, settings));
      // All of them end, whatever becomes of one: each gives its place back.
      const failed = (await Promise.allSettled(tries)).find((one) => one.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    }
  }

  #mayTry(receiverId: string, more = 0): boolean {
    return (this.#underWay.get(receiverId) ?? 0) + more < TRIES_AT_ONE_RECEIVER;
  }

  #begin(nowMs: number): readonly DueDelivery[] {
    const due: DueDelivery[] = [];
    for (const { number, receiver, at_ms } of this.#outbox.heads()) {
      const more = due.filter(({ notification }) => notification.receiverId === receiver).length;
      if (due.length >= TRIES_AT_ONCE || at_ms > nowMs || !this.#mayTry(receiver, more)) continue;
      const delivery = this.#outbox.begin(number, nowMs, nowMs + LOST_TRY_MS);
      if (delivery !== undefined) due.push(delivery);
    }
    const first = due.filter(({ isFirst }) => isFirst).flatMap(({ notification }) => notification.alerts);
    if (first.length > 0) this.#noteFirstTry(first, nowMs);
    return due;
  }

  async #deliver({ notification, attempt, countedFromMs }: DueDelivery, settings: AlertSettings): Promise<void> {
    const { receiverId } = notification;
    const receiver = settings.receivers.find(({ id }) => id === receiverId);
    this.#underWay.set(receiverId, (this.#underWay.get(receiverId) ?? 0) + 1);
    const tried = await tryDelivery(notification, receiver, this.#env, Date.now());
    this.#underWay.set(receiverId, (this.#underWay.get(receiverId) ?? 1) - 1);
    // A receiver that is gone will not come back under this delivery.
    const fate =
      receiver === undefined
        ? ({ kind: "dead" } as const)
        : fateOf(tried, attempt, countedFromMs, Date.now(), Math.random());
    this.#outbox.settle(notification.id, fate, resultOf(tried));
  }

  /** Undefined: there are MAX_SILENCES. */
  silence(silence: Silence): Silence | undefined {
    if (this.#silences.length >= MAX_SILENCES) return undefined;
    this.#table.saveSilence(silence);
    this.#silences = [...this.#silences, silence];
    return silence;
  }

  endSilence(id: string): boolean {
    if (!this.#silences.some((silence) => silence.id === id)) return false;
    this.#table.removeSilence(id);
    this.#silences = this.#silences.filter((silence) => silence.id !== id);
    return true;
  }

  redeliver(id: string, nowMs: number): boolean {
    return this.#outbox.revive(id, nowMs);
  }

  firing(): number {
    let firing = 0;
    for (const { life, condition } of this.#alerts.values()) {
      if (life.kind === "firing" && condition.kind !== "watchdog") firing++;
    }
    return firing;
  }

  /** Conditions that found no place among the alerts, since this object began. */
  get passedOver(): number {
    return this.#passedOver;
  }

  view(): {
    readonly alerts: readonly AlertView[];
    readonly silences: readonly Silence[];
    readonly deliveries: readonly DeliveryView[];
  } {
    return {
      alerts: [...this.#alerts.values()].map(viewOf),
      silences: this.#silences,
      deliveries: this.#outbox.list(),
    };
  }
}

const resultOf = (tried: Tried): string => (tried.kind === "answered" ? String(tried.status) : tried.why);

function viewOf({ condition, life, sinceMs, quiet }: Alert): AlertView {
  const { fingerprint, kind, severity, labels, summary } = condition;
  return {
    fingerprint,
    kind,
    severity,
    state: life.kind,
    labels,
    summary,
    sinceMs,
    firedAtMs: life.kind === "pending" ? undefined : life.firedAtMs,
    resolvedAtMs: life.kind === "resolved" ? life.resolvedAtMs : undefined,
    quiet,
  };
}
