/**
 * What tenants asked for, of more tenants than are remembered: those who asked most and those who were refused most are
 * told apart, each by a sketch of its own, so that a flood of admitted tenants hides nobody who is throttled. What a
 * tenant had when it gave way counts as `other`'s: the sum over all is exact at any time, and a tenant that comes back
 * begins at 0.
 *
 * Bounds: MAX_ASKING + MAX_THROTTLED tenants. Weights are halved every HALVE_MS, so what counts is the last hours. A peak
 * is the most tokens in one second by the clock of this side, of the last 30 to 60 s; of batches that come late together
 * only the newest counts for it.
 */
import { OTHER } from "../kernel/other.ts";
import type { TenantCounts, TenantTotals } from "./counts.ts";
import { halve, newSketch, restoreCounter, type Sketch, weigh } from "./space-saving.ts";

export const MAX_ASKING = 1_000;
export const MAX_THROTTLED = 500;
const HALVE_MS = 3_600_000;
const SECOND_MS = 1_000;
/** A peak is kept for one to two of these. */
const PEAK_WINDOW_MS = 30_000;

export type MutableTenantCounts = { -readonly [Name in keyof TenantCounts]: TenantCounts[Name] };

interface TenantRecord {
  readonly counts: MutableTenantCounts;
  second: number;
  tokensInSecond: number;
  window: number;
  peak: number;
  peakBefore: number;
}

export interface TenantLedger {
  readonly asking: Sketch;
  readonly throttled: Sketch;
  readonly records: Map<string, TenantRecord>;
  readonly other: MutableTenantCounts;
  halvedAtMs: number;
}

export const newTenantCounts = (tenant: string): MutableTenantCounts => ({
  tenant,
  admitted: 0,
  throttled: 0,
  shadowed: 0,
  tokens: 0,
  durationSecondsSum: 0,
});

export const newTenantLedger = (nowMs: number): TenantLedger => ({
  asking: newSketch(MAX_ASKING),
  throttled: newSketch(MAX_THROTTLED),
  records: new Map(),
  other: newTenantCounts(OTHER),
  halvedAtMs: nowMs,
});

/** `spanMs`: in which time it was asked, or undefined when that is long past. */
export function countTenant(
  ledger: TenantLedger,
  counts: TenantCounts,
  spanMs: number | undefined,
  nowMs: number,
): void {
  if (nowMs - ledger.halvedAtMs >= HALVE_MS) {
    ledger.halvedAtMs = nowMs;
    halve(ledger.asking);
    halve(ledger.throttled);
  }
  if (counts.tenant === OTHER) {
    addTenantCounts(ledger.other, counts);
    return;
  }
  const asked = counts.admitted + counts.throttled;
  const refused = counts.throttled + counts.shadowed;
  if (asked > 0) giveWay(ledger, weigh(ledger.asking, counts.tenant, asked), counts.tenant);
  if (refused > 0) giveWay(ledger, weigh(ledger.throttled, counts.tenant, refused), counts.tenant);
  if (asked + refused === 0) {
    addTenantCounts(ledger.records.get(counts.tenant)?.counts ?? ledger.other, counts);
    return;
  }
  const record = recordOf(ledger, counts.tenant);
  addTenantCounts(record.counts, counts);
  if (spanMs !== undefined) notePeak(record, (counts.tokens * SECOND_MS) / Math.max(SECOND_MS, spanMs), nowMs);
}

/** As it was stored: weight and error in each sketch, or null where it is in none. */
export function restoreTenant(
  ledger: TenantLedger,
  counts: TenantCounts,
  asking: readonly [weight: number, error: number] | null,
  throttled: readonly [weight: number, error: number] | null,
): void {
  if (asking !== null) restoreCounter(ledger.asking, counts.tenant, ...asking);
  if (throttled !== null) restoreCounter(ledger.throttled, counts.tenant, ...throttled);
  const isTold = ledger.asking.counters.has(counts.tenant) || ledger.throttled.counters.has(counts.tenant);
  addTenantCounts(isTold ? recordOf(ledger, counts.tenant).counts : ledger.other, counts);
}

/** Those told apart, and `other`. */
export function tenantTotals({ records, other }: TenantLedger, nowMs: number): TenantTotals[] {
  const totals = [...records.values()].map((record): TenantTotals => {
    const windows = Math.floor(nowMs / PEAK_WINDOW_MS) - record.window;
    const now = Math.max(record.peak, record.tokensInSecond);
    const peakTokens = windows > 1 ? 0 : windows === 1 ? now : Math.max(now, record.peakBefore);
    return { ...record.counts, peakTokens };
  });
  return [...totals, { ...other, peakTokens: 0 }];
}

export function addTenantCounts(sum: MutableTenantCounts, counts: TenantCounts): void {
  sum.admitted += counts.admitted;
  sum.throttled += counts.throttled;
  sum.shadowed += counts.shadowed;
  sum.tokens += counts.tokens;
  sum.durationSecondsSum += counts.durationSecondsSum;
}

function recordOf({ records }: TenantLedger, tenant: string): TenantRecord {
  let record = records.get(tenant);
  if (record === undefined) {
    record = { counts: newTenantCounts(tenant), second: 0, tokensInSecond: 0, window: 0, peak: 0, peakBefore: 0 };
    records.set(tenant, record);
  }
  return record;
}

function giveWay(ledger: TenantLedger, gone: string | undefined, comer: string): void {
  if (gone === undefined || gone === comer) return;
  if (ledger.asking.counters.has(gone) || ledger.throttled.counters.has(gone)) return;
  const record = ledger.records.get(gone);
  if (record === undefined) return;
  ledger.records.delete(gone);
  addTenantCounts(ledger.other, record.counts);
}

function notePeak(record: TenantRecord, tokens: number, nowMs: number): void {
  const second = Math.floor(nowMs / SECOND_MS);
  const window = Math.floor(nowMs / PEAK_WINDOW_MS);
  if (second !== record.second) {
    record.peak = Math.max(record.peak, record.tokensInSecond);
    record.second = second;
    record.tokensInSecond = 0;
  }
  if (window !== record.window) {
    record.peakBefore = window - record.window === 1 ? record.peak : 0;
    record.peak = 0;
    record.window = window;
  }
  record.tokensInSecond += tokens;
}
