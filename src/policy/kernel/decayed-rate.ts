/** An exponentially decayed rate: what arrived lately, per second. Two numbers, no window to keep. */
export interface DecayedRate {
  perSecond: number;
  atMs: number;
}

export function newDecayedRate(nowMs: number): DecayedRate {
  return { perSecond: 0, atMs: nowMs };
}

/** `timeConstantMs`: how fast the past fades; a steady stream is seen at its true rate after about three of them. */
export function addToRate(rate: DecayedRate, amount: number, nowMs: number, timeConstantMs: number): void {
  rate.perSecond = readRate(rate, nowMs, timeConstantMs) + (amount * 1_000) / timeConstantMs;
  rate.atMs = Math.max(rate.atMs, nowMs);
}

export function readRate(rate: DecayedRate, nowMs: number, timeConstantMs: number): number {
  const ageMs = nowMs - rate.atMs;
  return ageMs <= 0 ? rate.perSecond : rate.perSecond * Math.exp(-ageMs / timeConstantMs);
}
