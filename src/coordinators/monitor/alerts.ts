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

/** Tries at once, and rounds of them in a row: more waits for the next alarm. */
const TRIES_AT_ONCE = 10;
const MAX_ROUNDS = 10;
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

  /** When `deliverDue` has something to do; undefined: nothing waits. */
  dueAtMs(): number | undefined {
    return this.#outbox.dueAtMs();
  }

  /** Tries what is due, also what becomes due by it. May be called while it runs: no try is made twice. */
  async deliverDue(settings: AlertSettings): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const due = this.#storage.transactionSync(() => this.#begin(Date.now()));
      if (due.length === 0) return;
      await Promise.all(due.map((delivery) => this.#deliver(delivery, settings)));
    }
  }

  #begin(nowMs: number): readonly DueDelivery[] {
    const due = this.#outbox.begin(nowMs, nowMs + LOST_TRY_MS, TRIES_AT_ONCE);
    const first = due.filter(({ isFirst }) => isFirst).flatMap(({ notification }) => notification.alerts);
    if (first.length > 0) this.#noteFirstTry(first, nowMs);
    return due;
  }

  async #deliver({ notification, attempt, countedFromMs }: DueDelivery, settings: AlertSettings): Promise<void> {
    const receiver = settings.receivers.find(({ id }) => id === notification.receiverId);
    const tried = await tryDelivery(notification, receiver, this.#env, Date.now());
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
