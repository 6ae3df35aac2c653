/**
 * What an admitted request was charged, until it has ended: its slots are given back once, whoever ends it; quota comes
 * back when its origin call failed; a cost known after the response is settled.
 */
import { refund, releaseSlots, settleCost } from "../../policy/limits/lessee.ts";
import type { ChargeSet } from "./charge-set.ts";
import { type LimitReading, readingsOf } from "./readings.ts";
import type { CallSite, TenantLessee } from "./tenant-lessee.ts";

/** Slots in use are said to be so this often, however quiet the tenant is otherwise. */
const RENEW_SLOTS_MS = 4_000;
/** A slot is taken back from a request that was not heard to end for so long: its isolate lost track of it. */
export const SLOT_HELD_AT_MOST_MS = 3_600_000;

export class Charged {
  readonly #lessee: TenantLessee;
  readonly #charge: ChargeSet;
  readonly #costMicro: number;
  readonly #epochs: readonly number[];
  readonly #sinceMs: number;
  #holdsSlots: boolean;

  constructor(lessee: TenantLessee, charge: ChargeSet, costMicro: number, nowMs: number) {
    this.#lessee = lessee;
    this.#charge = charge;
    this.#costMicro = costMicro;
    this.#sinceMs = nowMs;
    this.#epochs = charge.quotas.length === 0 ? [] : charge.quotas.map((holding) => holding.epoch);
    this.#holdsSlots = charge.hasSlots;
    if (charge.hasSlots) lessee.slotHolders.add(this);
  }

  get holdsSlots(): boolean {
    return this.#holdsSlots;
  }

  /** What is left of the limits it was held to. */
  readings(nowMs: number): readonly LimitReading[] {
    return readingsOf(this.#charge, this.#costMicro, nowMs);
  }

  isOverdue(nowMs: number): boolean {
    return nowMs - this.#sinceMs > SLOT_HELD_AT_MOST_MS;
  }

  /** The request has ended. Once; later calls do nothing. */
  release(site: CallSite, nowMs: number): void {
    if (this.freeSlots(nowMs)) this.#lessee.ask(site, nowMs, this.#charge);
  }

  /** True: slots are scarce, so they should go back to the coordinator at once. */
  freeSlots(nowMs: number): boolean {
    if (!this.#holdsSlots) return false;
    this.#holdsSlots = false;
    this.#lessee.slotHolders.delete(this);
    return releaseSlots(this.#charge.enforced, nowMs);
  }

  /** Keeps the leases of slots alive until `ended`; to be given to `waitUntil` of the request that holds them. */
  async renewUntil(ended: Promise<unknown>, site: CallSite, now: () => number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const renew = (): void => {
      this.#lessee.ask(site, now(), this.#charge);
      timer = setTimeout(renew, RENEW_SLOTS_MS);
    };
    timer = setTimeout(renew, RENEW_SLOTS_MS);
    await ended;
    clearTimeout(timer);
  }

  settle(extraMicro: number, nowMs: number): void {
    settleCost(this.#charge.all, extraMicro, nowMs);
  }

  refund(): void {
    refund(this.#charge.quotas, this.#epochs, this.#costMicro);
  }
}
