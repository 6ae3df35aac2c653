/**
 * Who may come in. A token is the deployment's own, compared by digest, or one that was made: it proves itself by its MAC,
 * and the Control object says what it may do; that is remembered for four seconds, so that a revoked one is refused within
 * five everywhere. Without a token that holds, everything looks as if it did not exist.
 *
 * Wrong tokens: ten from one address are answered like no token; from then on that address is told to wait, twice as
 * long each time, up to 15 minutes. A right token always passes, so that nobody can lock an operator out. All tables are
 * of one isolate, and bounded; a guess among 2^128 is no better for having many isolates.
 */
import { LRUCache } from "lru-cache";
import { networkOf } from "../edge/stages/identify.ts";
import { importKeySecret, type KeySecret, sameSecret } from "../platform/api-key.ts";
import { ROOT_ID, verifyAdminSession } from "../platform/admin-session.ts";
import { verifyAdminToken } from "../platform/admin-token.ts";
import { backoff } from "../policy/kernel/backoff.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import type { AdminTokenGrant } from "../protocol/admin-records.ts";
import { CONTROL_OBJECT } from "../protocol/control.ts";
import type { Actor } from "./access.ts";
import { COORDINATOR_DEADLINE_MS } from "./reply.ts";
import { secretOf } from "./secrets.ts";

const MAX_TOKEN_LENGTH = 512;
const MAX_KNOWN_TOKENS = 1_000;
const KNOWN_FOR_MS = 4_000;

const FREE_FAILURES = 10;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 900_000;
/** Wrong tokens of an address are forgotten when none came for so long. */
const FORGOTTEN_AFTER_MS = 3_600_000;
const MAX_ADDRESSES = 10_000;

/** Calls of one token on one isolate: a burst, and so many a second after it. */
const BURST_CALLS = 200;
const CALLS_PER_SECOND = 20;

export type GateVerdict =
  | { readonly kind: "in"; readonly actor: Actor }
  | { readonly kind: "hidden"; readonly wrong: boolean }
  | { readonly kind: "wait"; readonly retryAfterMs: number }
  /** The token is one of ours, and the Control object cannot be asked about it. */
  | { readonly kind: "unreachable" };

export interface GateRequest {
  readonly authorization: string | null;
  /** Of a browser, where it may have one; a token goes before it. */
  readonly session: string | null;
  readonly clientIp: string;
}

interface Failures {
  readonly count: number;
  readonly lastAtMs: number;
  readonly waitUntilMs: number;
}

interface Known {
  readonly grant: AdminTokenGrant | undefined;
  readonly untilMs: number;
}

const ROOT: Actor = { id: ROOT_ID, name: "root", role: "admin", tenants: undefined };

export class Gate {
  readonly #known = new LRUCache<string, Known>({ max: MAX_KNOWN_TOKENS });
  readonly #failures = new LRUCache<string, Failures>({ max: MAX_ADDRESSES });
  readonly #calls = new LRUCache<string, { readonly left: number; readonly atMs: number }>({ max: MAX_KNOWN_TOKENS });
  #secret: { readonly text: string; readonly key: Promise<KeySecret> } | undefined;

  async identify(asked: GateRequest, env: Env, nowMs: number): Promise<GateVerdict> {
    const { authorization, session, clientIp } = asked;
    if (authorization === null) {
      return session === null ? { kind: "hidden", wrong: false } : this.#bySession(session, clientIp, env, nowMs);
    }
    const presented = authorization.startsWith("Bearer ") ? authorization.slice("Bearer ".length) : "";
    const actor = presented.length <= MAX_TOKEN_LENGTH ? await this.#actorOf(presented, env, nowMs) : undefined;
    if (actor === "unreachable") return { kind: "unreachable" };
    const network = networkOf(clientIp);
    if (actor === undefined) return this.#fail(network, nowMs);
    this.#failures.delete(network);
    return { kind: "in", actor };
  }

  /** One that is over, or whose token is, was true once: it is no guess. */
  async #bySession(presented: string, clientIp: string, env: Env, nowMs: number): Promise<GateVerdict> {
    const secret = secretOf(env, "WEIR_KEY_SECRET");
    if (secret === undefined) return { kind: "hidden", wrong: false };
    const root = secretOf(env, "WEIR_ADMIN_TOKEN");
    const session = await verifyAdminSession(await this.#import(secret), root, presented);
    if (session === undefined) return this.#fail(networkOf(clientIp), nowMs);
    const { tokenId, expiresAtMs } = session;
    if (expiresAtMs <= nowMs) return { kind: "hidden", wrong: false };
    const actor = tokenId === ROOT_ID ? ROOT : await this.#bearerOf(tokenId, env, nowMs);
    if (actor === "unreachable") return { kind: "unreachable" };
    if (actor === undefined) return { kind: "hidden", wrong: false };
    return { kind: "in", actor: { ...actor, session: { expiresAtMs } } };
  }

  /** Milliseconds until this token may call again; 0: now, and the call is counted. */
  claimCall({ id }: Actor, nowMs: number): number {
    const { left, atMs } = this.#calls.get(id) ?? { left: BURST_CALLS, atMs: nowMs };
    const now = Math.min(BURST_CALLS, left + (Math.max(0, nowMs - atMs) * CALLS_PER_SECOND) / 1_000);
    if (now < 1) return Math.ceil(((1 - now) * 1_000) / CALLS_PER_SECOND);
    this.#calls.set(id, { left: now - 1, atMs: nowMs });
    return 0;
  }

  async #actorOf(presented: string, env: Env, nowMs: number): Promise<Actor | "unreachable" | undefined> {
    const root = secretOf(env, "WEIR_ADMIN_TOKEN");
    if (root !== undefined && (await sameSecret(presented, root))) return ROOT;
    const secret = secretOf(env, "WEIR_KEY_SECRET");
    if (secret === undefined) return undefined;
    const tokenId = await verifyAdminToken(await this.#import(secret), presented);
    return tokenId === undefined ? undefined : this.#bearerOf(tokenId, env, nowMs);
  }

  async #bearerOf(tokenId: string, env: Env, nowMs: number): Promise<Actor | "unreachable" | undefined> {
    let known = this.#known.get(tokenId);
    if (known === undefined || known.untilMs <= nowMs) {
      const grant = await readGrant(env, tokenId);
      if (grant === "unreachable") return grant;
      // Counted from before the call, so that what was true then is never used for longer.
      known = { grant, untilMs: nowMs + Math.min(KNOWN_FOR_MS, grant?.validForMs ?? KNOWN_FOR_MS) };
      this.#known.set(tokenId, known);
    }
    if (known.grant === undefined) return undefined;
    const { label, role, tenants } = known.grant;
    return { id: tokenId, name: label, role, tenants: tenants ?? undefined };
  }

  #fail(network: string, nowMs: number): GateVerdict {
    const before = this.#failures.get(network);
    if (before !== undefined && nowMs < before.waitUntilMs) {
      return { kind: "wait", retryAfterMs: before.waitUntilMs - nowMs };
    }
    const forgotten = before === undefined || nowMs - before.lastAtMs >= FORGOTTEN_AFTER_MS;
    const count = forgotten ? 1 : before.count + 1;
    const tooMany = count - FREE_FAILURES;
    const waitMs = backoff(tooMany, FIRST_WAIT_MS, LONGEST_WAIT_MS);
    this.#failures.set(network, { count, lastAtMs: nowMs, waitUntilMs: nowMs + waitMs });
    return tooMany <= 0 ? { kind: "hidden", wrong: true } : { kind: "wait", retryAfterMs: waitMs };
  }

  #import(text: string): Promise<KeySecret> {
    if (this.#secret?.text !== text) this.#secret = { text, key: importKeySecret(text) };
    return this.#secret.key;
  }
}

async function readGrant(env: Env, tokenId: string): Promise<AdminTokenGrant | undefined | "unreachable"> {
  try {
    const call = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "adminToken", { v: 1, tokenId });
    return await withDeadline(call, COORDINATOR_DEADLINE_MS);
  } catch {
    // Told to the caller, who holds a token of ours; counted where that answer is made.
    return "unreachable";
  }
}

/** A page of another site made this browser send it. */
export function isCrossSite(headers: Headers, url: URL): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return true;
  const origin = headers.get("origin");
  return origin !== null && origin !== url.origin;
}

/** A write by a cookie must say that a page of ours sent it, in a form that no other site can send without asking. */
export function isOwnWrite(headers: Headers, url: URL): boolean {
  const own = headers.get("origin") === url.origin || headers.get("sec-fetch-site") === "same-origin";
  const [type = ""] = (headers.get("content-type") ?? "").split(";", 1);
  return own && type.trim().toLowerCase() === "application/json";
}
