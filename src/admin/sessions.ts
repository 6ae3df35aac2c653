/**
 * A browser's session. It is opened with a token in the Authorization header, lives in a cookie that no script reads and
 * no other path gets, and is nothing but that token's id under a MAC (platform/admin-session). Only where the dashboard is
 * shown: the admin host, or WEIR_ADMIN_PAGES=open; on a host that serves an origin's pages, their scripts could use it.
 */
import { importKeySecret } from "../platform/api-key.ts";
import { SESSION_COOKIE } from "../http/headers.ts";
import { mintAdminSession } from "../platform/admin-session.ts";
import { endedSession, sessionView, type SessionView } from "./contract/session.ts";
import { type CallSite, operation } from "./operation.ts";
import { problem } from "./reply.ts";
import { secretOf, secretsMissing } from "./secrets.ts";

/** A shift. */
const SESSION_MS = 8 * 3_600_000;
const MAX_COOKIE_HEADER = 8_192;

const TAG = "Session";

const openSession = operation(
  {
    id: "openSession",
    method: "POST",
    path: "/session",
    tag: TAG,
    summary: "Log a browser in",
    description: "Sets a cookie for 8 hours. Only on the admin host, or with `WEIR_ADMIN_PAGES=open`; needs a token.",
    result: sessionView,
    status: 201,
    refusals: { 404: "Sessions are not for this host." },
  },
  async (call) => {
    if (!call.sessions) return problem(404, "There are no sessions on this host");
    if (call.actor.session !== undefined) return problem(403, "A session cannot open another: show the token");
    const secret = secretOf(call.env, "WEIR_KEY_SECRET");
    if (secret === undefined) return secretsMissing(["WEIR_KEY_SECRET"]);
    const expiresAtMs = Math.floor((call.nowMs + SESSION_MS) / 1_000) * 1_000;
    const session = { tokenId: call.actor.id, expiresAtMs };
    const text = await mintAdminSession(await importKeySecret(secret), secretOf(call.env, "WEIR_ADMIN_TOKEN"), session);
    setCookie(call, text, SESSION_MS / 1_000);
    return viewOf(call, expiresAtMs);
  },
);

const readSession = operation(
  {
    id: "readSession",
    method: "GET",
    path: "/session",
    tag: TAG,
    summary: "Who am I",
    description: "Whose token or session the call was made with, and what it may.",
    result: sessionView,
  },
  (call) => Promise.resolve(viewOf(call, call.actor.session?.expiresAtMs ?? null)),
);

const endSession = operation(
  {
    id: "endSession",
    method: "DELETE",
    path: "/session",
    tag: TAG,
    summary: "Log a browser out",
    description: "Takes its cookie away. What ends all sessions of a token is revoking it.",
    result: endedSession,
  },
  (call) => {
    setCookie(call, "", 0);
    return Promise.resolve({ ended: true as const });
  },
);

export const sessionOperations = [openSession, readSession, endSession];

function viewOf({ actor: { id, name, role, tenants } }: CallSite, expiresAtMs: number | null): SessionView {
  return { id, name, role, tenants: tenants ?? null, expiresAtMs };
}

function setCookie({ answer, isSecure }: CallSite, value: string, seconds: number): void {
  const secure = isSecure ? "; Secure" : "";
  const cookie = `${SESSION_COOKIE}=${value}; Path=/_weir/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
  answer.headers.set("set-cookie", cookie);
}

/** The session's text in a `Cookie` header; null: there is none. Of two, none: who could add one is not who has the other. */
export function sessionIn(cookie: string | null): string | null {
  if (cookie === null || cookie.length > MAX_COOKIE_HEADER) return null;
  const prefix = `${SESSION_COOKIE}=`;
  const found = cookie.split(";").flatMap((pair) => {
    const text = pair.trim();
    return text.startsWith(prefix) ? [text.slice(prefix.length)] : [];
  });
  return found.length === 1 ? (found[0] ?? null) : null;
}
