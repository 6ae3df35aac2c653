/**
 * Who may use the admin API: the bearer of the admin token, compared by digest. Without it every path looks as if it did
 * not exist. After MAX_FAILURES wrong tokens within a minute, wrong ones are told to wait; the right one always passes, so
 * that nobody can lock the operator out.
 */
import { sameSecret } from "../platform/api-key.ts";

const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
export const MIN_SECRET_LENGTH = 32;

export type AuthVerdict = "ok" | "hidden" | "locked";

export class AdminAuth {
  #failures = 0;
  #windowEndsAtMs = 0;

  async check(authorization: string | null, token: string | undefined, nowMs: number): Promise<AuthVerdict> {
    if (nowMs >= this.#windowEndsAtMs) this.#failures = 0;
    if (token === undefined || token.length < MIN_SECRET_LENGTH || authorization === null) return "hidden";
    const presented = authorization.startsWith("Bearer ") ? authorization.slice("Bearer ".length) : "";
    if (await sameSecret(presented, token)) return "ok";
    if (this.#failures === 0) this.#windowEndsAtMs = nowMs + WINDOW_MS;
    this.#failures++;
    return this.#failures > MAX_FAILURES ? "locked" : "hidden";
  }
}
