/**
 * API keys prove themselves: tenant, key id, and a MAC of both under a secret. Checking one needs no look-up, so a forged
 * key costs one HMAC in the isolate and reaches no coordinator. A key that expires, or may not do everything, says so
 * under the same MAC, so that holds from the first request of the first isolate on. Forms:
 *
 *   weir_<tenant>_<key id>_<mac>
 *   weir2_<tenant|expiry|scopes>_<key id>_<mac>
 *
 * where the first part is base64url without padding, the expiry whole seconds since 1970 in base 36 or empty, the scopes
 * joined by spaces, the key id 16 hex digits, the MAC 22 characters of base64url (128 bits).
 */
const PREFIX = "weir_";
const PREFIX_WITH_CLAIMS = "weir2_";
const KEY_ID_LENGTH = 16;
const MAC_LENGTH = 22;
const MAC_BYTES = 16;
/** 64 of a tenant, 512 of scopes, in base64url, and the rest. */
const MAX_KEY_LENGTH = 1_024;
const CONTEXT = "weir-key-v1";
const CONTEXT_WITH_CLAIMS = "weir-key-v2";
const PARTITION_CONTEXT = "weir-partition-v1";
const PRINCIPAL_CONTEXT = "weir-principal-v1";
const PARTITION_KEY_BYTES = 12;

/** A CryptoKey; named by what makes it, because Node and the Worker's runtime declare it differently. */
export type KeySecret = Awaited<ReturnType<(typeof crypto.subtle)["importKey"]>>;

export interface ApiKeyClaims {
  readonly tenantId: string;
  readonly keyId: string;
  /** Whole seconds. Undefined: it does not expire by itself. */
  readonly expiresAtMs?: number | undefined;
  /** Undefined: it may do everything its tenant may. */
  readonly scopes?: readonly string[] | undefined;
}

export function importKeySecret(secret: string): Promise<KeySecret> {
  const bytes = new TextEncoder().encode(secret);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/** 64 random bits as hex. */
export function newKeyId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(KEY_ID_LENGTH / 2)));
}

export async function mintApiKey(secret: string, claims: ApiKeyClaims): Promise<string> {
  const written = writeClaims(claims);
  const mac = await macOf(await importKeySecret(secret), written);
  const text = base64url(new TextEncoder().encode(written.text));
  return `${written.prefix}${text}_${written.keyId}_${base64url(mac)}`;
}

/** Undefined: not a key of ours. Strict about the form, constant in time about the MAC. */
export async function verifyApiKey(secret: KeySecret, presented: string): Promise<ApiKeyClaims | undefined> {
  const parsed = parse(presented);
  if (parsed === undefined) return undefined;
  const expected = await macOf(secret, parsed);
  return sameBytes(expected, parsed.mac) ? readClaims(parsed) : undefined;
}

/** What the MAC is of. */
interface WrittenClaims {
  readonly prefix: string;
  /** The tenant alone, or with what else the key says. */
  readonly text: string;
  readonly keyId: string;
}

function writeClaims({ tenantId, keyId, expiresAtMs, scopes = [] }: ApiKeyClaims): WrittenClaims {
  if (expiresAtMs === undefined && scopes.length === 0) return { prefix: PREFIX, text: tenantId, keyId };
  const expiry = expiresAtMs === undefined ? "" : Math.floor(expiresAtMs / 1_000).toString(36);
  return { prefix: PREFIX_WITH_CLAIMS, text: `${tenantId}|${expiry}|${scopes.join(" ")}`, keyId };
}

/** Only of what had a valid MAC. */
function readClaims({ prefix, text, keyId }: WrittenClaims): ApiKeyClaims | undefined {
  if (prefix === PREFIX) return { tenantId: text, keyId };
  const [tenantId, expiry, scopes, ...more] = text.split("|");
  if (tenantId === undefined || expiry === undefined || scopes === undefined || more.length > 0) return undefined;
  const seconds = Number.parseInt(expiry, 36);
  if (expiry !== "" && !(seconds > 0)) return undefined;
  return {
    tenantId,
    keyId,
    expiresAtMs: expiry === "" ? undefined : seconds * 1_000,
    scopes: scopes === "" ? undefined : scopes.split(" "),
  };
}

function macOf(secret: KeySecret, { prefix, text, keyId }: WrittenClaims): Promise<Uint8Array> {
  return shortMac(secret, `${prefix === PREFIX ? CONTEXT : CONTEXT_WITH_CLAIMS}|${text}|${keyId}`);
}

/** The first 128 bits of the text's HMAC. */
export async function shortMac(secret: KeySecret, text: string): Promise<Uint8Array> {
  const mac = await crypto.subtle.sign("HMAC", secret, new TextEncoder().encode(text));
  return new Uint8Array(mac).subarray(0, MAC_BYTES);
}

/** Names a principal that its issuer names: 96 bits of SHA-256, so that the name itself goes nowhere. */
export async function principalOf(issuer: string, subject: string): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify([PRINCIPAL_CONTEXT, issuer, subject]));
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", text)).subarray(0, PARTITION_KEY_BYTES));
}

/** Names a partition to its own callers, and says nothing else about it: 96 bits of an HMAC, base64. */
export async function partitionKeyOf(secret: KeySecret, partition: string): Promise<string> {
  const text = new TextEncoder().encode(`${PARTITION_CONTEXT}|${partition}`);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", secret, text));
  return btoa(String.fromCharCode(...mac.subarray(0, PARTITION_KEY_BYTES)));
}

function parse(presented: string): (WrittenClaims & { readonly mac: Uint8Array }) | undefined {
  const prefix = [PREFIX, PREFIX_WITH_CLAIMS].find((known) => presented.startsWith(known));
  if (prefix === undefined || presented.length > MAX_KEY_LENGTH) return undefined;
  // From the right, because base64url itself contains underscores.
  const macAt = presented.length - MAC_LENGTH;
  const keyIdAt = macAt - 1 - KEY_ID_LENGTH;
  const textEnd = keyIdAt - 1;
  if (textEnd <= prefix.length || presented[macAt - 1] !== "_" || presented[textEnd] !== "_") return undefined;
  const text = fromBase64url(presented.slice(prefix.length, textEnd));
  const mac = fromBase64url(presented.slice(macAt));
  const keyId = presented.slice(keyIdAt, macAt - 1);
  if (text === undefined || mac?.length !== MAC_BYTES || !isHex(keyId)) return undefined;
  // One text for each key: what decodes to the same bytes but is written otherwise is refused.
  if (base64url(mac) !== presented.slice(macAt)) return undefined;
  if (base64url(text) !== presented.slice(prefix.length, textEnd)) return undefined;
  return { prefix, text: new TextDecoder().decode(text), keyId, mac };
}

/** Compares all bytes, whatever the first ones are. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}

export function isHex(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (!"0123456789abcdef".includes(text.charAt(index))) return false;
  }
  return true;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

export function fromBase64url(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) =>
      character.charCodeAt(0),
    );
  } catch {
    return undefined;
  }
}

/** Compares two secrets by their digests: the time taken says nothing about either. */
export async function sameSecret(a: string, b: string): Promise<boolean> {
  const digest = async (text: string): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return sameBytes(await digest(a), await digest(b));
}

/** Compares a presented text with a secret without a promise: the time taken depends on the secret's length alone. */
export function sameText(presented: string, secret: string): boolean {
  let difference = presented.length ^ secret.length;
  for (let index = 0; index < secret.length; index++) {
    // Past its end the presented text reads as NaN, which counts as 0; its length has told already.
    difference |= presented.charCodeAt(index) ^ secret.charCodeAt(index);
  }
  return difference === 0;
}
