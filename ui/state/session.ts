/** Who is logged in. The cookie is the browser's to keep: no script can read it, so the gateway is asked. */
import { computed, signal } from "@preact/signals";
import type { SessionView } from "../../src/admin/contract.ts";
import { call, onSessionOver, type Refused } from "../api.ts";

export type Session =
  | { readonly kind: "asking" }
  /** `ended`: there was one, and the gateway no longer takes it. */
  | { readonly kind: "out"; readonly ended: boolean }
  | { readonly kind: "unreachable"; readonly refused: Refused }
  | { readonly kind: "in"; readonly who: SessionView };

export const session = signal<Session>({ kind: "asking" });

const RANK = { reader: 0, operator: 1, admin: 2 } as const;
export type Role = keyof typeof RANK;

/** What may not be pressed is not shown; the gateway decides all the same. */
export function may(role: Role): boolean {
  const { value } = session;
  return value.kind === "in" && RANK[value.who.role] >= RANK[role];
}

/** Undefined: it may see all tenants. */
export const ownTenants = computed(() => (session.value.kind === "in" ? (session.value.who.tenants ?? undefined) : []));

/** Whether it is worth asking: no secret, only that this browser was logged in. Else one who comes first is greeted at once. */
const HINT = "weir-logged-in";

function hint(loggedIn: boolean): void {
  try {
    if (loggedIn) localStorage.setItem(HINT, "1");
    else localStorage.removeItem(HINT);
  } catch {
    // A browser that keeps nothing: asked for the token again after a reload.
  }
}

function isHinted(): boolean {
  try {
    return localStorage.getItem(HINT) !== null;
  } catch {
    return false;
  }
}

function leave(ended: boolean): void {
  hint(false);
  session.value = { kind: "out", ended };
}

export async function askWho(): Promise<void> {
  if (!isHinted()) {
    leave(false);
    return;
  }
  const reply = await call<SessionView>("GET", "/session", { asksWho: true });
  if (reply.kind === "ok") session.value = { kind: "in", who: reply.value };
  else if (reply.status === 401 || reply.status === 404) leave(true);
  else session.value = { kind: "unreachable", refused: reply };
}

/** The token is used this once, and kept nowhere. */
export async function logIn(token: string): Promise<Refused | undefined> {
  const headers = { authorization: `Bearer ${token}` };
  const reply = await call<SessionView>("POST", "/session", { headers, asksWho: true });
  if (reply.kind === "refused") return reply;
  hint(true);
  session.value = { kind: "in", who: reply.value };
  return undefined;
}

export async function logOut(): Promise<void> {
  await call("DELETE", "/session", { asksWho: true });
  leave(false);
}

onSessionOver(() => {
  if (session.value.kind === "in") leave(true);
});
