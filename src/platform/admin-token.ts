/**
 * Tokens of the admin API prove themselves, as API keys do: `weiradm_<token id>_<mac>`, an id of 16 hex digits and 22
 * characters of base64url (128 bits) of its MAC. A forged one costs one HMAC in the isolate and reaches no coordinator;
 * what a true one may do, and whether it still holds, is known to the Control object.
 */
import { base64url, fromBase64url, isHex, type KeySecret, newKeyId, sameBytes, shortMac } from "./api-key.ts";

const PREFIX = "weiradm_";
const ID_LENGTH = 16;
const MAC_LENGTH = 22;
const CONTEXT = "weir-admin-token-v1";
const SEAL_CONTEXT = "weir-sealed-reply-v1";
const NONCE_BYTES = 12;

export const newTokenId = newKeyId;

export async function mintAdminToken(secret: KeySecret, tokenId: string): Promise<string> {
  return `${PREFIX}${tokenId}_${base64url(await shortMac(secret, `${CONTEXT}|${tokenId}`))}`;
}

/** The token's id; undefined: not a token of ours. Strict about the form, constant in time about the MAC. */
export async function verifyAdminToken(secret: KeySecret, presented: string): Promise<string | undefined> {
  const idEnd = PREFIX.length + ID_LENGTH;
  if (presented.length !== idEnd + 1 + MAC_LENGTH || !presented.startsWith(PREFIX)) return undefined;
  const tokenId = presented.slice(PREFIX.length, idEnd);
  const written = presented.slice(idEnd + 1);
  const mac = fromBase64url(written);
  if (presented[idEnd] !== "_" || !isHex(tokenId) || mac === undefined || base64url(mac) !== written) return undefined;
  return sameBytes(await shortMac(secret, `${CONTEXT}|${tokenId}`), mac) ? tokenId : undefined;
}

/** Encrypts a reply under a key that needs both the secret and `name`, which only the caller can give again. */
export async function seal(secret: KeySecret, name: string, text: string): Promise<Uint8Array> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const algorithm = { name: "AES-GCM", iv: nonce };
  const sealed = await crypto.subtle.encrypt(algorithm, await sealKey(secret, name), new TextEncoder().encode(text));
  const whole = new Uint8Array(NONCE_BYTES + sealed.byteLength);
  whole.set(nonce);
  whole.set(new Uint8Array(sealed), NONCE_BYTES);
  return whole;
}

/** Rejects what was not sealed under the same secret and name. */
export async function unseal(secret: KeySecret, name: string, sealed: Uint8Array): Promise<string> {
  const algorithm = { name: "AES-GCM", iv: sealed.slice(0, NONCE_BYTES) };
  const key = await sealKey(secret, name);
  return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, sealed.slice(NONCE_BYTES)));
}

async function sealKey(secret: KeySecret, name: string): Promise<KeySecret> {
  const bytes = await crypto.subtle.sign("HMAC", secret, new TextEncoder().encode(`${SEAL_CONTEXT}|${name}`));
  return crypto.subtle.importKey("raw", bytes, { name: "AES-GCM" }, false, ["encrypt", "decrypt"]);
}
