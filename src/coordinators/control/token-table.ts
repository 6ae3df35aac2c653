/** The Control object's table of admin tokens (docs/STORAGE.md): what each may do and until when, never the token. */
import { parseJson } from "../../policy/kernel/json.ts";
import { type AdminTokenRecord, ROLES } from "../../protocol/admin-records.ts";

/** Tokens that hold; those that have ended give way. */
export const MAX_TOKENS = 1_000;
/** A token's last use is written so seldom. */
const LAST_USED_STEP_MS = 300_000;

type Row = Readonly<Record<string, unknown>>;

export class TokenTable {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS admin_token (
        token_id TEXT PRIMARY KEY, label TEXT NOT NULL, role TEXT NOT NULL, tenants TEXT,
        created_at_ms INTEGER NOT NULL, created_by TEXT NOT NULL, expires_at_ms INTEGER NOT NULL,
        revoked_at_ms INTEGER, last_used_at_ms INTEGER) WITHOUT ROWID;
    `);
  }

  read(tokenId: string): AdminTokenRecord | undefined {
    const row = this.#sql.exec("SELECT * FROM admin_token WHERE token_id = ?", tokenId).toArray()[0];
    return row === undefined ? undefined : parseToken(row);
  }

  /** As it was; where it is known here, too, the earlier end counts. False: there are as many as may be. */
  restore(token: AdminTokenRecord, nowMs: number): boolean {
    const known = this.read(token.tokenId);
    if (known === undefined) {
      if (!this.add(token, nowMs)) return false;
      this.#sql.exec(
        "UPDATE admin_token SET last_used_at_ms = ? WHERE token_id = ?",
        token.lastUsedAtMs,
        token.tokenId,
      );
    }
    if (token.revokedAtMs !== null) this.revoke(token.tokenId, token.revokedAtMs);
    return true;
  }

  /** False: there are as many as may be, and all of them hold. */
  add(token: AdminTokenRecord, nowMs: number): boolean {
    if (this.count() >= MAX_TOKENS) {
      this.#sql.exec("DELETE FROM admin_token WHERE revoked_at_ms IS NOT NULL OR expires_at_ms <= ?", nowMs);
      if (this.count() >= MAX_TOKENS) return false;
    }
    this.#sql.exec(
      `INSERT INTO admin_token (token_id, label, role, tenants, created_at_ms, created_by, expires_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      token.tokenId,
      token.label,
      token.role,
      token.tenants === null ? null : JSON.stringify(token.tenants),
      token.createdAtMs,
      token.createdBy,
      token.expiresAtMs,
    );
    return true;
  }

  revoke(tokenId: string, nowMs: number): void {
    this.#sql.exec(
      "UPDATE admin_token SET revoked_at_ms = ? WHERE token_id = ? AND revoked_at_ms IS NULL",
      nowMs,
      tokenId,
    );
  }

  noteUse({ tokenId, lastUsedAtMs }: AdminTokenRecord, nowMs: number): void {
    if (lastUsedAtMs !== null && nowMs - lastUsedAtMs < LAST_USED_STEP_MS) return;
    this.#sql.exec("UPDATE admin_token SET last_used_at_ms = ? WHERE token_id = ?", nowMs, tokenId);
  }

  /** The newest first, from behind `after` on; one more than `limit` says that there are more. */
  list(after: AdminTokenRecord | undefined, limit: number): AdminTokenRecord[] {
    return this.#sql
      .exec(
        `SELECT * FROM admin_token WHERE (created_at_ms, token_id) < (?, ?)
         ORDER BY created_at_ms DESC, token_id DESC LIMIT ?`,
        after?.createdAtMs ?? Number.MAX_SAFE_INTEGER,
        after?.tokenId ?? "",
        limit,
      )
      .toArray()
      .flatMap((row) => parseToken(row) ?? []);
  }

  count(): number {
    return Number(this.#sql.exec("SELECT COUNT(*) AS n FROM admin_token").one()["n"]);
  }
}

/** A row that cannot be read is no token. */
function parseToken(row: Row): AdminTokenRecord | undefined {
  const role = ROLES.find((known) => known === row["role"]);
  const tenants = parseTenants(row["tenants"]);
  if (role === undefined || tenants === undefined) return undefined;
  return {
    tokenId: String(row["token_id"]),
    label: String(row["label"]),
    role,
    tenants,
    createdAtMs: Number(row["created_at_ms"]),
    createdBy: String(row["created_by"]),
    expiresAtMs: Number(row["expires_at_ms"]),
    revokedAtMs: timeOf(row["revoked_at_ms"]),
    lastUsedAtMs: timeOf(row["last_used_at_ms"]),
  };
}

const timeOf = (value: unknown): number | null => (typeof value === "number" ? value : null);

/** Undefined: what is stored is not what was written; it must not read as "not limited". */
function parseTenants(value: unknown): readonly string[] | null | undefined {
  if (value === null) return null;
  if (typeof value !== "string") return undefined;
  const parsed = parseJson(value);
  return Array.isArray(parsed) && parsed.every((id) => typeof id === "string") ? parsed : undefined;
}
