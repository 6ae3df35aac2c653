/**
 * An edge's copy of a breaker, and what a request may conclude from it. Times in a view are durations from the moment
 * it was made, so no two clocks are compared; the edge counts them from the moment it received it.
 */
import type { ViewedMaintenance } from "../degradation/maintenance.ts";
import { hash32 } from "../kernel/hash.ts";
import type { ConfigInForce } from "../rollout/rollout.ts";
import { type Breaker, earlyAge } from "./state-machine.ts";

export type BreakerView = ViewedState & {
  /** From which age on a pending call is reported as late; undefined: from none. */
  readonly earlyAgeMs: number | undefined;
  /** Calls under way in the world, where they are counted. */
  readonly underWay?: number;
  /** Which config holds, as far as the origin's coordinator has been told. */
  readonly config?: ConfigInForce;
  /** How many calls the origin bears at once; undefined: as configured. The higher version is the newer. */
  readonly slots?: { readonly slots: number; readonly version: number };
  /** In force, or to come; undefined: none. */
  readonly maintenance?: readonly ViewedMaintenance[];
  /** Of the origin's newest purge, see `policy/cache/purge`; undefined: a coordinator of the release before. */
  readonly purgeEpoch?: number;
};

type ViewedState =
  | {
      readonly state: "closed" | "forced-closed" | "forced-open";
      readonly epoch: number;
      readonly popOpenForMs: number;
      /** Of what is forced. */
      readonly endsInMs?: number;
    }
  | { readonly state: "open" | "half-open"; readonly epoch: number; readonly nextProbeInMs: number }
  | { readonly state: "ramp"; readonly epoch: number; readonly rampAgeMs: number; readonly rampMs: number };

/** Used as it is; */
export const VIEW_FRESH_MS = 1_000;
/** refreshed behind requests; */
export const VIEW_USABLE_MS = 5_000;
/** kept, when it is open and the coordinator is out of reach; after that the isolate's own breaker decides. */
export const VIEW_KEPT_OPEN_MS = 15_000;
const RAMP_FROM_RATIO = 0.1;

/** `pop`: who asks; a PoP opened alone is told so. */
export function viewOf(breaker: Breaker, pop: string, nowMs: number): BreakerView {
  return { ...stateOf(breaker, pop, nowMs), earlyAgeMs: earlyAge(breaker) };
}

function stateOf(breaker: Breaker, pop: string, nowMs: number): ViewedState {
  const { state, epoch, forced } = breaker;
  const popOpenForMs = Math.max(0, (breaker.pops.get(pop)?.openUntilMs ?? 0) - nowMs);
  if (forced !== undefined) {
    return { state: `forced-${forced.state}`, epoch, popOpenForMs: 0, endsInMs: Math.max(0, forced.untilMs - nowMs) };
  }
  switch (state.kind) {
    case "closed":
      return { state: "closed", epoch, popOpenForMs };
    case "open":
    case "half-open":
      return { state: state.kind, epoch, nextProbeInMs: Math.max(0, state.nextProbeAtMs - nowMs) };
    case "ramp":
      return { state: "ramp", epoch, rampAgeMs: nowMs - state.startedAtMs, rampMs: breaker.settings.rampMs };
  }
}

export type ViewVerdict =
  /** `share`: in the ramp, of all traffic; 1 otherwise. */
  | { readonly kind: "go"; readonly mayRetry: boolean; readonly share: number }
  | { readonly kind: "refused"; readonly retryAfterMs: number }
  /** A probe is due: ask for the lease. */
  | { readonly kind: "probe" };

/** Nobody but a probe goes to the origin. `ageMs`: since the view was received. */
export function isShut(view: BreakerView, ageMs: number): boolean {
  switch (view.state) {
    case "open":
    case "half-open":
    case "forced-open":
      return true;
    case "closed":
      return view.popOpenForMs > ageMs;
    case "forced-closed":
    case "ramp":
      return false;
  }
}

const LEAST_FORCED_MS = 1_000;
const PROBE_UNDER_WAY_RETRY_AFTER_MS = 1_000;

/** `ageMs`: since the view was received. `caller`: who is in the ramp or not. `mayProbe`: a safe method. Cost: O(1), one short hash in the ramp. */
export function judge(view: BreakerView, ageMs: number, caller: string, mayProbe: boolean): ViewVerdict {
  switch (view.state) {
    case "forced-closed":
      return { kind: "go", mayRetry: true, share: 1 };
    case "forced-open":
      return { kind: "refused", retryAfterMs: Math.max(LEAST_FORCED_MS, (view.endsInMs ?? 0) - ageMs) };
    case "closed":
      return view.popOpenForMs > ageMs
        ? { kind: "refused", retryAfterMs: view.popOpenForMs - ageMs }
        : { kind: "go", mayRetry: true, share: 1 };
    case "open":
    case "half-open": {
      const dueInMs = view.nextProbeInMs - ageMs;
      if (dueInMs > 0) return { kind: "refused", retryAfterMs: dueInMs };
      return mayProbe ? { kind: "probe" } : { kind: "refused", retryAfterMs: PROBE_UNDER_WAY_RETRY_AFTER_MS };
    }
    case "ramp": {
      const rampAgeMs = view.rampAgeMs + ageMs;
      const place = hash32(`${caller}|${view.epoch}`) / 4_294_967_296;
      // Slowly at first: in its first second the origin gets hardly more than a tenth.
      const share = Math.min(1, RAMP_FROM_RATIO + (1 - RAMP_FROM_RATIO) * (rampAgeMs / view.rampMs) ** 2);
      if (place < share) return { kind: "go", mayRetry: false, share };
      const turnMs = Math.sqrt((place - RAMP_FROM_RATIO) / (1 - RAMP_FROM_RATIO)) * view.rampMs;
      return { kind: "refused", retryAfterMs: Math.max(50, turnMs - rampAgeMs) };
    }
  }
}
