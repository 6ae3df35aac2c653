/**
 * What the admin API says to the Control object about itself: its tokens, the record of what was changed, and the replies
 * it gives again. Times are durations, except where a name ends in `AtMs`.
 */

/** Each may all that those before it may. */
export const ROLES = ["reader", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Nothing in it is secret: the token proves itself, and is not stored. */
export interface AdminTokenRecord {
  readonly tokenId: string;
  readonly label: string;
  readonly role: Role;
  /** The tenants it is limited to; null: not limited. */
  readonly tenants: readonly string[] | null;
  readonly createdAtMs: number;
  /** Who made it. */
  readonly createdBy: string;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | null;
  /** To within five minutes. */
  readonly lastUsedAtMs: number | null;
}

/** What a token that holds may do, and for how long that is certain. */
export interface AdminTokenGrant extends Pick<AdminTokenRecord, "label" | "role" | "tenants"> {
  readonly validForMs: number;
}

/** Who did it: a token, or the one of the deployment ("root"). */
export interface AuditActor {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

/** A write that is about to happen. */
export interface AuditIntent {
  readonly actor: AuditActor;
  readonly operation: string;
  readonly params: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly client: string;
}

/** `unfinished`: it began, and nothing is known of its end. */
export const AUDIT_OUTCOMES = ["done", "refused", "failed", "unfinished"] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** How a write ended; values are JSON, of allowed fields only. */
export interface AuditEnd {
  readonly outcome: AuditOutcome;
  readonly status: number;
  readonly before: string | null;
  readonly after: string | null;
}

export interface AuditRecord extends AuditIntent, AuditEnd {
  readonly entryId: number;
  readonly atMs: number;
}

export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly operation?: string | undefined;
  readonly tenant?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** The reply of a creating call, sealed: whoever reads the object's storage cannot read it. */
export interface SealedReply {
  readonly status: number;
  readonly sealed: Uint8Array;
}

/** A call that must happen once: a name that only its caller can give again, and what was asked. */
export interface OnceRequest {
  readonly name: string;
  readonly fingerprint: string;
}

export type WriteBegun =
  | { readonly kind: "begun"; readonly entryId: number }
  | { readonly kind: "replay"; readonly reply: SealedReply }
  /** It began before, and has not ended, or nobody knows how. */
  | { readonly kind: "unfinished" }
  | { readonly kind: "other-request" }
  /** As many calls are remembered as may be. */
  | { readonly kind: "full" };

export interface AdminRecordsProtocol {
  /** Undefined: no such token, or it has ended. */
  adminToken(request: { readonly v: 1; readonly tokenId: string }): Promise<AdminTokenGrant | undefined>;
  /** Undefined: there are as many as may be. `entryId`: of the audit, whose entry is done together with it. */
  createAdminToken(request: {
    readonly v: 1;
    readonly tokenId: string;
    readonly label: string;
    readonly role: Role;
    readonly tenants: readonly string[] | null;
    readonly forMs: number;
    readonly createdBy: string;
    readonly entryId: number;
  }): Promise<AdminTokenRecord | undefined>;
  /** Undefined: no such token. Revoking again changes nothing. */
  revokeAdminToken(request: {
    readonly v: 1;
    readonly tokenId: string;
    readonly entryId: number;
  }): Promise<AdminTokenRecord | undefined>;
  /** The newest first. */
  listAdminTokens(request: { readonly v: 1; readonly after: string | undefined; readonly limit: number }): Promise<{
    readonly tokens: readonly AdminTokenRecord[];
    readonly next: string | undefined;
  }>;
  /** Durable before the reply: no write happens without a trace. */
  beginWrite(request: {
    readonly v: 1;
    readonly intent: AuditIntent;
    readonly once: OnceRequest | undefined;
  }): Promise<WriteBegun>;
  /** `once`: its reply is kept for a day; a refused one is forgotten, so that it can be tried again. */
  endWrite(request: {
    readonly v: 1;
    readonly entryId: number;
    readonly end: AuditEnd;
    readonly once: { readonly name: string; readonly reply: SealedReply | undefined } | undefined;
  }): Promise<void>;
  /** The newest first, from `before` (exclusive) on. */
  audit(request: {
    readonly v: 1;
    readonly before: number | undefined;
    readonly limit: number;
    readonly filter: AuditFilter;
  }): Promise<{
    readonly entries: readonly AuditRecord[];
    readonly next: number | undefined;
    /** Entries that gave way to newer ones, or grew too old, since counting began. */
    readonly dropped: number;
  }>;
}
