/**
 * A browser's session of the admin API: `<token id>.<expiry>.<mac>`, the expiry whole seconds since 1970 in base 36, the
 * MAC 22 characters of base64url (128 bits) under WEIR_KEY_SECRET. It is no token: it says whose token opened it, and until
 * when, so that what the token may do is looked up as for the token itself, and one that is revoked ends its sessions.
 * The deployment's own token has no record that could end: its sessions are bound to its text, and end when that changes.
 */
import { base64url, fromBase64url, type KeySecret, sameBytes, shortMac } from "./api-key.ts";

export const ROOT_ID = "root";
const CONTEXT = "weir-admin-session-v1";
const FORM = /^([0-9a-f]{16}|root)\.([0-9a-z]{1,9})\.([\w-]{22})$/;

export interface AdminSession {
  /** Of the token that opened it, or ROOT_ID. */
  readonly tokenId: string;
  /** Whole seconds. */
  readonly expiresAtMs: number;
}

/** `rootToken`: the deployment's; undefined: it has none, and `root` no session. */
export async function mintAdminSession(
  secret: KeySecret,
  rootToken: string | undefined,
  { tokenId, expiresAtMs }: AdminSession,
): Promise<string> {
  const expiry = Math.floor(expiresAtMs / 1_000).toString(36);
  return `${tokenId}.${expiry}.${base64url(await macOf(secret, rootToken, tokenId, expiry))}`;
}

/** Undefined: not one of ours. Strict about the form, constant in time about the MAC; whether it is over is not looked at. */
export async function verifyAdminSession(
  secret: KeySecret,
  rootToken: string | undefined,
  presented: string,
): Promise<AdminSession | undefined> {
  const [, tokenId = "", expiry = "", written = ""] = FORM.exec(presented) ?? [];
  const mac = fromBase64url(written);
  if (tokenId === "" || mac === undefined || base64url(mac) !== written) return undefined;
  if (tokenId === ROOT_ID && rootToken === undefined) return undefined;
  if (!sameBytes(await macOf(secret, rootToken, tokenId, expiry), mac)) return undefined;
  return { tokenId, expiresAtMs: Number.parseInt(expiry, 36) * 1_000 };
}

function macOf(secret: KeySecret, rootToken: string | undefined, tokenId: string, expiry: string): Promise<Uint8Array> {
  const bound = tokenId === ROOT_ID ? `|${rootToken ?? ""}` : "";
  return shortMac(secret, `${CONTEXT}|${tokenId}|${expiry}${bound}`);
}
