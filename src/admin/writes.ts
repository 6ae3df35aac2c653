/**
 * What is around every write: its entry in the audit is stored before it, and completed after it, so that a crash between
 * the two leaves `unfinished`; when the Control object cannot be reached nothing is written. A call that makes something
 * may carry an `Idempotency-Key`: then it happens once, and for a day the same call gets the same reply.
 */
import { seal, unseal } from "../platform/admin-token.ts";
import { base64url, importKeySecret, type KeySecret, shortMac } from "../platform/api-key.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { logError } from "../platform/log.ts";
import type { AuditEnd, AuditIntent, OnceRequest, SealedReply, WriteBegun } from "../protocol/admin-records.ts";
import { CONTROL_OBJECT } from "../protocol/control.ts";
import { COORDINATOR_DEADLINE_MS, problem, problemType } from "./reply.ts";
import { secretOf, secretsMissing } from "./secrets.ts";

/** Of what was before, and of what is after, in an entry. */
const MAX_KEPT_LENGTH = 2_000;
const ONCE_PATTERN = /^[\x21-\x7e]{1,255}$/;

export interface Write {
  readonly env: Env;
  readonly intent: AuditIntent;
  /** Fields that may be kept; nothing else of `before` and of the result is. */
  readonly keeps: readonly string[];
  /** As it came, where the route makes something new. */
  readonly onceKey: string | undefined;
  /** What was asked: path, query, body. */
  readonly asked: string;
}

/** What a route did, and what was before it. */
export interface WriteResult {
  readonly response: Response;
  readonly before: unknown;
  readonly after: unknown;
}

interface Once {
  readonly secret: KeySecret;
  readonly plainName: string;
  readonly request: OnceRequest;
}

export async function performWrite(write: Write, act: (entryId: number) => Promise<WriteResult>): Promise<Response> {
  const once = write.onceKey === undefined ? undefined : await onceOf(write, write.onceKey);
  if (once instanceof Response) return once;
  const begun = await begin(write, once);
  if (begun.kind !== "begun") return answerKnown(begun, once);
  let result: WriteResult;
  try {
    result = await act(begun.entryId);
  } catch (error) {
    // What became of it is not certain: a call that must happen once stays unfinished.
    await end(write.env, begun.entryId, { outcome: "failed", status: 503, before: null, after: null }, undefined);
    throw error;
  }
  const { response, before, after } = result;
  const ended: AuditEnd = {
    outcome: response.ok ? "done" : response.status >= 500 ? "failed" : "refused",
    status: response.status,
    before: kept(before, write.keeps),
    after: kept(after, write.keeps),
  };
  if (once === undefined) await end(write.env, begun.entryId, ended, undefined);
  else {
    const reply = response.ok ? await sealed(response, once) : undefined;
    await end(write.env, begun.entryId, ended, { name: once.request.name, reply });
  }
  return response;
}

async function begin(write: Write, once: Once | undefined): Promise<WriteBegun> {
  const request = { v: 1 as const, intent: write.intent, once: once?.request };
  return withDeadline(
    callCoordinator(write.env, "CONTROL", CONTROL_OBJECT, "beginWrite", request),
    COORDINATOR_DEADLINE_MS,
  );
}

/** The write has happened, whatever becomes of this: then its entry stays `unfinished`. */
async function end(
  env: Env,
  entryId: number,
  ended: AuditEnd,
  once: { readonly name: string; readonly reply: SealedReply | undefined } | undefined,
): Promise<void> {
  try {
    const request = { v: 1 as const, entryId, end: ended, once };
    await withDeadline(callCoordinator(env, "CONTROL", CONTROL_OBJECT, "endWrite", request), COORDINATOR_DEADLINE_MS);
  } catch (error) {
    logError({ where: "admin audit", entryId: String(entryId), error: String(error) });
  }
}

async function onceOf({ env, intent, asked }: Write, key: string): Promise<Once | Response> {
  if (!ONCE_PATTERN.test(key)) {
    return problem(400, "Idempotency-Key must be 1 to 255 visible ASCII characters");
  }
  const text = secretOf(env, "WEIR_KEY_SECRET");
  if (text === undefined) return secretsMissing(["WEIR_KEY_SECRET"]);
  const secret = await importKeySecret(text);
  const plainName = JSON.stringify([intent.actor.id, intent.operation, key]);
  return {
    secret,
    plainName,
    request: {
      name: base64url(await shortMac(secret, `weir-once-v1|${plainName}`)),
      fingerprint: base64url(await shortMac(secret, `weir-fingerprint-v1|${asked}`)),
    },
  };
}

async function answerKnown(known: Exclude<WriteBegun, { kind: "begun" }>, once: Once | undefined): Promise<Response> {
  switch (known.kind) {
    case "replay": {
      const { status, sealed: bytes } = known.reply;
      const body = once === undefined ? "" : await unseal(once.secret, once.plainName, new Uint8Array(bytes));
      const headers = { "content-type": "application/json", "idempotency-replayed": "true" };
      return new Response(body, { status, headers });
    }
    case "unfinished":
      return problem(
        409,
        "A call with this Idempotency-Key is under way, or nobody knows how it ended",
        "Look at what there is, then use another key.",
        { type: problemType("idempotency-unfinished") },
      );
    case "other-request":
      return problem(422, "This Idempotency-Key was used for another request", undefined, {
        type: problemType("idempotency-key-reused"),
      });
    case "full":
      return problem(503, "Too many calls with an Idempotency-Key were made within a day");
  }
}

async function sealed(response: Response, { secret, plainName }: Once): Promise<SealedReply> {
  return { status: response.status, sealed: await seal(secret, plainName, await response.clone().text()) };
}

/** JSON of the allowed fields; null where there is nothing. */
function kept(value: unknown, fields: readonly string[]): string | null {
  if (typeof value !== "object" || value === null) return null;
  const allowed = Object.fromEntries(Object.entries(value).filter(([name]) => fields.includes(name)));
  const text = JSON.stringify(allowed);
  return text.length <= MAX_KEPT_LENGTH ? text : JSON.stringify({ tooLong: text.length });
}
