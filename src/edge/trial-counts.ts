/**
 * While a config is on trial: how requests end in the canary and beside it, for the Control object to judge. Like
 * `counters`, a batch that was not acknowledged is sent again under its number and counted once.
 */
import { type ArmCounts, NO_COUNTS } from "../policy/rollout/rollout.ts";

export const TRIAL_REPORT_INTERVAL_MS = 1_000;

export interface TrialBatch {
  readonly seq: number;
  readonly number: number;
  readonly canary: ArmCounts;
  readonly control: ArmCounts;
}

type Arm = { -readonly [Name in keyof ArmCounts]: ArmCounts[Name] };

export class TrialCounts {
  #number = 0;
  #canary: Arm = { ...NO_COUNTS };
  #control: Arm = { ...NO_COUNTS };
  #seq = 0;
  #unacknowledged: TrialBatch | undefined;
  #scheduled = false;

  count(trialNumber: number, arm: "canary" | "control", failed: boolean, throttled: boolean): void {
    if (trialNumber !== this.#number) this.#begin(trialNumber);
    const counts = arm === "canary" ? this.#canary : this.#control;
    counts.requests++;
    if (failed) counts.failed++;
    if (throttled) counts.throttled++;
  }

  /** True for the one caller that now has to report after TRIAL_REPORT_INTERVAL_MS. */
  claimReport(): boolean {
    if (this.#scheduled) return false;
    this.#scheduled = true;
    return true;
  }

  takeBatch(): TrialBatch | undefined {
    this.#scheduled = false;
    if (this.#unacknowledged !== undefined) return this.#unacknowledged;
    if (this.#canary.requests + this.#control.requests === 0) return undefined;
    this.#seq++;
    this.#unacknowledged = { seq: this.#seq, number: this.#number, canary: this.#canary, control: this.#control };
    this.#begin(this.#number, this.#unacknowledged);
    return this.#unacknowledged;
  }

  acknowledge(seq: number): void {
    if (this.#unacknowledged?.seq === seq) this.#unacknowledged = undefined;
  }

  /** What was counted for another trial is of no use any more. */
  #begin(trialNumber: number, unacknowledged?: TrialBatch): void {
    this.#number = trialNumber;
    this.#canary = { ...NO_COUNTS };
    this.#control = { ...NO_COUNTS };
    this.#unacknowledged = unacknowledged;
  }
}
