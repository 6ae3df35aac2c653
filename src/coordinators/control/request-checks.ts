/** What is refused of what is said to the Control object: it throws, as nobody who means well says it. */
import type { ArmCounts } from "../../policy/rollout/rollout.ts";

const MAX_PACKED_BYTES = 16_777_216;
const MAX_TEXT_LENGTH = 1_000_000;
const MAX_ORIGINS = 100;
const MAX_TRIAL_MS = 7 * 86_400_000;
const MAX_REPORTED = 1_000_000_000;

export function checkContent(packed: Uint8Array, text: string, originIds: readonly string[]): void {
  require(packed.byteLength > 0 && packed.byteLength <= MAX_PACKED_BYTES, "packed content");
  require(text.length <= MAX_TEXT_LENGTH, "text");
  require(originIds.length <= MAX_ORIGINS, "number of origins");
}

export function checkTrial({ shareRatio, forMs }: { readonly shareRatio: number; readonly forMs: number }): void {
  require(shareRatio > 0 && shareRatio <= 1, "share of a trial");
  require(forMs > 0 && forMs <= MAX_TRIAL_MS, "length of a trial");
}

export function checkArm({ requests, failed, throttled }: ArmCounts): void {
  const sound = [requests, failed, throttled].every(
    (count) => Number.isSafeInteger(count) && count >= 0 && count <= MAX_REPORTED,
  );
  require(sound && failed <= requests && throttled <= requests, "counts");
}

function require(holds: boolean, what: string): asserts holds {
  if (!holds) throw new TypeError(`control request refused: bad ${what}`);
}
