/** What the admin API takes and gives: shared by the Worker and the command line. */
import * as z from "zod";
import { preparedTemplates } from "../config/pages/prepared.ts";
import { BOUNDS } from "../config/schema.ts";
import { PREVIEW_STATES, type PreviewState } from "../config/pages/vocabulary.ts";
import { RATE_PATTERN } from "../config/units.ts";

export const API_BASE = "/_weir/api/v1";

const DAY_MS = 86_400_000;

export const createKeyBody = z.strictObject({
  label: z.string().max(100).default("").describe("For people; not secret."),
});

const LONGEST_OVERRIDE_MS = 90 * DAY_MS;

/** What is not given stays as configured. */
export const overrideBody = z.strictObject({
  rate: z
    .string()
    .regex(RATE_PATTERN, 'must be a rate like "200/s", "100/m"')
    .optional()
    .describe("Token buckets: refill."),
  burst: z.number().int().min(1).max(BOUNDS.burst).optional().describe("Token buckets: capacity in tokens."),
  quota: z.number().int().min(1).max(BOUNDS.burst).optional().describe("Quotas: tokens per period."),
  slots: z.number().int().min(1).max(100_000).optional().describe("Concurrency: requests at once."),
  forMs: z.number().int().min(1_000).max(LONGEST_OVERRIDE_MS).describe("How long, in milliseconds: 1 s to 90 days."),
  reason: z.string().min(1).max(500),
});
export type OverrideBody = z.infer<typeof overrideBody>;

export interface OverrideView {
  readonly tenant: string;
  readonly limit: string;
  /** In words: `500/s, burst 1000`. */
  readonly inForce: string;
  readonly reason: string;
  readonly setAtMs: number;
  readonly expiresAtMs: number;
}

const by = z.string().min(1).max(100).default("admin").describe("Who it was, for the history.");

export const forceBody = z.strictObject({
  reason: z.string().min(1).max(500),
  by,
  forMs: z
    .number()
    .int()
    .min(1_000)
    .max(30 * DAY_MS)
    .default(600_000)
    .describe("How long, in milliseconds: 1 s to 30 days. Default 10 minutes."),
  state: z.enum(["open", "closed"]).default("open"),
});

export const resetBody = z.strictObject({ reason: z.string().min(1).max(500), by });

const message = z.string().max(500).default("").describe("Why, for those who look later.");

export const applyBody = z.strictObject({
  text: z.string().max(BOUNDS.fileBytes).describe("Of the config file: JSON with comments."),
  pages: preparedTemplates
    .optional()
    .describe("Its pages, made whole, by name. Default: those of the config in force."),
  message,
  by,
  dryRun: z.boolean().default(false).describe("Only check it."),
  canary: z
    .strictObject({
      shareRatio: z.number().gt(0).max(1).describe("Share of the callers that gets it first, above 0, at most 1."),
      forMs: z
        .number()
        .int()
        .min(1_000)
        .max(7 * DAY_MS)
        .describe("How long, in milliseconds: 1 s to 7 days. Then everybody gets it."),
    })
    .optional()
    .describe("Put it on trial first; it is taken back by itself when it fails, or throttles, clearly more."),
});
/** As it is sent: what has a default may be left out. */
export type ApplyBody = z.input<typeof applyBody>;

export const rollbackBody = z.strictObject({
  number: z.number().int().min(1).describe("Whose content is to hold again."),
  message,
  by,
});

export const endTrialBody = z.strictObject({
  promote: z.boolean().describe("true: everybody gets it; false: it is taken back."),
  message,
  by,
});

export const historyQuery = z.strictObject({
  before: z.coerce.number().int().min(1).optional().describe("Only versions with a smaller number."),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

export interface ConfigVersionView {
  readonly number: number;
  readonly configVersion: number;
  readonly hash: string;
  readonly source: "deploy" | "apply" | "rollback" | "trial-ended";
  readonly author: string;
  readonly message: string;
  readonly atMs: number;
  /** Whose content it has; null: its own. */
  readonly contentOf: number | null;
}

export interface InForceView {
  readonly sequence: number;
  readonly number: number;
  readonly canary?: { readonly number: number; readonly shareRatio: number };
}

export interface ConfigHistoryReply {
  readonly inForce: InForceView | null;
  readonly trial: TrialView | null;
  /** The newest first. */
  readonly versions: readonly ConfigVersionView[];
}

export interface TrialView {
  readonly number: number;
  readonly shareRatio: number;
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  readonly arms: Readonly<Record<"canary" | "control", { requests: number; failed: number; throttled: number }>>;
}

export interface ConfigContentReply {
  readonly number: number;
  readonly hash: string;
  /** Null: a deploy that brought none. */
  readonly text: string | null;
  /** SHA-256 of each page, by name. */
  readonly pages: Readonly<Record<string, string>>;
}

export interface ConfigOutcomeReply {
  /** same: it was in force already, and nothing was added. */
  readonly kind: "done" | "same";
  readonly inForce: InForceView;
  readonly version: ConfigVersionView;
}

export const previewQuery = z.strictObject({
  state: z.enum(PREVIEW_STATES).default("open"),
  accept: z.string().max(1_000).default("text/html").describe("As a client would send it."),
  lang: z.string().max(1_000).optional().describe("Accept-Language, as a client would send it."),
});

/** What a caller of the route would get; times that only the state knows are samples. */
export interface PagePreview {
  readonly route: string;
  readonly state: PreviewState;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

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
  /** Quotas: lost in this period with isolates that died. */
  readonly writtenOffTokens: number;
  /** Costs known after the response that are still to be paid. */
  readonly owedTokens: number;
  /** Until when an override holds. */
  readonly overriddenUntilMs?: number | undefined;
}

export interface TenantStatus {
  readonly tenant: string;
  readonly plan: string;
  /** Null: its coordinator did not answer. */
  readonly limits: readonly LimitStatus[] | null;
  /** Calls of isolates to its coordinator since that woke. */
  readonly leaseCalls: number;
}

/** Requests that a tenant's limits decided without their coordinator, since counting began. */
export interface FailModeStatus {
  readonly tenant: string;
  readonly mode: string;
  readonly requests: number;
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

/** One breaker with its whole history, the newest last. */
export interface BreakerView {
  readonly origin: string;
  readonly state: string;
  readonly forced: {
    readonly state: string;
    readonly reason: string;
    readonly by: string;
    readonly untilMs: number;
  } | null;
  readonly score: number;
  readonly epoch: number;
  readonly outstandingProbes: number;
  /** PoPs heard of. */
  readonly pops: number;
  /** Calls under way in the world, where they are counted. */
  readonly underWay: number;
  /** How many may be, where latency decides; else null. */
  readonly slots: number | null;
  /** From which age on a pending call is late; null: not known yet. */
  readonly earlyAgeMs: number | null;
  /** Since its coordinator woke: successes, and failures by kind. */
  readonly counts: Readonly<Record<string, number>>;
  readonly history: readonly BreakerTransition[];
}

export interface BreakerTransition {
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly score: number;
  readonly pops: readonly string[];
  readonly epoch: number;
  readonly by?: string;
}

export interface StatusReply {
  readonly configVersion: number;
  readonly configHash: string;
  readonly tenants: readonly TenantStatus[];
  /** More tenants than are shown: ask with `?tenant=`. */
  readonly truncated: boolean;
  /** Null: the metrics object did not answer. */
  readonly failModes: readonly FailModeStatus[] | null;
  readonly origins: readonly BreakerStatus[];
}
