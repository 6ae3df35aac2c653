/** What the admin API takes and gives: shared by the Worker and the command line. */
import * as z from "zod";
import { preparedTemplates } from "../config/pages/prepared.ts";
import { BOUNDS } from "../config/schema.ts";
import { PREVIEW_STATES, type PreviewState } from "../config/pages/vocabulary.ts";
import { RATE_PATTERN } from "../config/units.ts";
import { MAX_SCOPES, MAX_SCOPES_LENGTH, SCOPE_PATTERN } from "../policy/identity/scopes.ts";

export const API_BASE = "/_weir/api/v1";

const DAY_MS = 86_400_000;

const LONGEST_KEY_LIFE_MS = 3_650 * DAY_MS;
const LONGEST_OVERLAP_MS = 90 * DAY_MS;

const label = z.string().max(100).describe("For people; not secret.");
const scopes = z
  .array(
    z.string().regex(SCOPE_PATTERN, 'must be "read", "write", or "route:", "read:" or "write:" with a route\'s id'),
  )
  .max(MAX_SCOPES)
  .refine((list) => list.join(" ").length <= MAX_SCOPES_LENGTH, `must have ${MAX_SCOPES_LENGTH} characters in all`)
  .describe("What the key may do: at least one must name the request. Empty: everything its tenant may.");
const lifetimeMs = z
  .number()
  .int()
  .min(1_000)
  .max(LONGEST_KEY_LIFE_MS)
  .describe("The key expires after so long, in milliseconds: 1 s to 10 years.");

export const createKeyBody = z.strictObject({
  label: label.default(""),
  scopes: scopes.default([]),
  lifetimeMs: lifetimeMs.optional(),
});
export type CreateKeyBody = z.input<typeof createKeyBody>;

/** What is not given is as with the key that is replaced. */
export const rotateKeyBody = z.strictObject({
  label: label.optional(),
  scopes: scopes.optional(),
  lifetimeMs: lifetimeMs.optional(),
  overlapMs: z
    .number()
    .int()
    .min(0)
    .max(LONGEST_OVERLAP_MS)
    .default(DAY_MS)
    .describe("The old key ends after so long, in milliseconds: up to 90 days. Default 24 hours."),
});
export type RotateKeyBody = z.input<typeof rotateKeyBody>;

const atMs = z.number().int().describe("Milliseconds since 1970.");

/** active; ending: replaced, still good until `endsAtMs`; ended: replaced, no longer good. */
export const KEY_STATES = ["active", "ending", "ended", "expired", "revoked"] as const;

export const keyView = z.strictObject({
  keyId: z.string(),
  label: z.string(),
  state: z.enum(KEY_STATES),
  scopes: z.array(z.string()),
  createdAtMs: atMs,
  expiresAtMs: atMs.nullable(),
  lastUsedAtMs: atMs.nullable().describe("To about a minute; null: not yet."),
  endsAtMs: atMs.nullable().describe("When it ends because it was replaced."),
  replacedBy: z.string().nullable().describe("Id of the key that replaced it."),
  revokedAtMs: atMs.nullable(),
});
export type KeyView = z.infer<typeof keyView>;

export const keysReply = z.strictObject({ keys: z.array(keyView) });

export const createdKey = keyView
  .pick({ keyId: true, label: true, scopes: true, createdAtMs: true, expiresAtMs: true })
  .extend({
    tenant: z.string(),
    key: z.string().describe("The key itself: shown this once."),
  });
export type CreatedKey = z.infer<typeof createdKey>;

export const rotatedKey = createdKey.extend({ replaced: keyView });
export type RotatedKey = z.infer<typeof rotatedKey>;

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
