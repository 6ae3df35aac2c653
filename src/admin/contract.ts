/** What the admin API takes and gives: shared by the Worker and the command line. */
import { z } from "zod";

export const API_BASE = "/_weir/api/v1";

const DAY_MS = 86_400_000;

export const createKeyBody = z.strictObject({
  label: z.string().max(100).default("").describe("For people; not secret."),
});

export const forceBody = z.strictObject({
  reason: z.string().min(1).max(500),
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(30 * DAY_MS)
    .default(600_000)
    .describe("How long, in milliseconds: 1 s to 30 days. Default 10 minutes."),
  state: z.enum(["open", "closed"]).default("open"),
});

export const resetBody = z.strictObject({ reason: z.string().min(1).max(500) });

export interface CreatedKey {
  readonly tenant: string;
  readonly keyId: string;
  readonly label: string;
  /** The key itself: shown this once. */
  readonly key: string;
  readonly createdAtMs: number;
}

export interface KeyView {
  readonly keyId: string;
  readonly label: string;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
}

export interface LimitStatus {
  readonly partition: string;
  readonly kind: "bucket" | "quota" | "slots";
  readonly capacityTokens: number;
  readonly freeTokens: number;
  readonly outstandingTokens: number;
  readonly activeLessees: number;
}

export interface TenantStatus {
  readonly tenant: string;
  readonly plan: string;
  /** Null: its coordinator did not answer. */
  readonly limits: readonly LimitStatus[] | null;
  /** Calls of isolates to its coordinator since that woke. */
  readonly leaseCalls: number;
}

export interface BreakerStatus {
  readonly origin: string;
  readonly state: string;
  readonly score: number;
  readonly epoch: number;
  readonly outstandingProbes: number;
  readonly forced: { readonly state: string; readonly reason: string; readonly untilMs: number } | null;
  readonly lastTransition: {
    readonly atMs: number;
    readonly from: string;
    readonly to: string;
    readonly reason: string;
  } | null;
}

export interface StatusReply {
  readonly configVersion: number;
  readonly configHash: string;
  readonly tenants: readonly TenantStatus[];
  /** More tenants than are shown: ask with `?tenant=`. */
  readonly truncated: boolean;
  readonly origins: readonly BreakerStatus[];
}
