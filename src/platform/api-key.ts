/**
 * API keys prove themselves: tenant, key id, and a MAC of both under a secret. Checking one needs no look-up, so a forged
 * key costs one HMAC in the isolate and reaches no coordinator. Form: `weir_<tenant>_<key id>_<mac>`, where the tenant
 * is base64url without padding, the key id 16 hex digits, the MAC 22 characters of base64url (128 bits).
 */
const PREFIX = "weir_";
const KEY_ID_LENGTH = 16;
const MAC_LENGTH = 22;
const MAC_BYTES = 16;
const MAX_KEY_LENGTH = 160;
const CONTEXT = "weir-key-v1";
const PARTITION_CONTEXT = "weir-partition-v1";
const PARTITION_KEY_BYTES = 12;

/** A CryptoKey; named by what makes it, because Node and the Worker's runtime declare it differently. */
export type KeySecret = Awaited<ReturnType<(typeof crypto.subtle)["importKey"]>>;

export interface ApiKeyClaims {
  readonly tenantId: string;
  readonly keyId: string;
}

export function importKeySecret(secret: string): Promise<KeySecret> {
  const bytes = new TextEncoder().encode(secret);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/** 64 random bits as hex. */
export function newKeyId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(KEY_ID_LENGTH / 2)));
}

export async function mintApiKey(secret: string, { tenantId, keyId }: ApiKeyClaims): Promise<string> {
  const mac = await macOf(await importKeySecret(secret), tenantId, keyId);
  return `${PREFIX}${base64url(new TextEncoder().encode(tenantId))}_${keyId}_${base64url(mac)}`;
}

/** Undefined: not a key of ours. Strict about the form, constant in time about the MAC. */
export async function verifyApiKey(secret: KeySecret, presented: string): Promise<ApiKeyClaims | undefined> {
  const parsed = parse(presented);
  if (parsed === undefined) return undefined;
  const expected = await macOf(secret, parsed.tenantId, parsed.keyId);
  return sameBytes(expected, parsed.mac) ? { tenantId: parsed.tenantId, keyId: parsed.keyId } : undefined;
}

async function macOf(secret: KeySecret, tenantId: string, keyId: string): Promise<Uint8Array> {
  const text = new TextEncoder().encode(`${CONTEXT}|${tenantId}|${keyId}`);
  return new Uint8Array(await crypto.subtle.sign("HMAC", secret, text)).subarray(0, MAC_BYTES);
}

/** Names a partition to its own callers, and says nothing else about it: 96 bits of an HMAC, base64. */
export async function partitionKeyOf(secret: KeySecret, partition: string): Promise<string> {
  const text = new TextEncoder().encode(`${PARTITION_CONTEXT}|${partition}`);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", secret, text));
  return btoa(String.fromCharCode(...mac.subarray(0, PARTITION_KEY_BYTES)));
}

function parse(presented: string): (ApiKeyClaims & { readonly mac: Uint8Array }) | undefined {
  if (presented.length > MAX_KEY_LENGTH || !presented.startsWith(PREFIX)) return undefined;
  // From the right, because base64url itself contains underscores.
  const macAt = presented.length - MAC_LENGTH;
  const keyIdAt = macAt - 1 - KEY_ID_LENGTH;
  const tenantEnd = keyIdAt - 1;
  if (tenantEnd <= PREFIX.length || presented[macAt - 1] !== "_" || presented[tenantEnd] !== "_") return undefined;
  const tenantId = fromBase64url(presented.slice(PREFIX.length, tenantEnd));
  const mac = fromBase64url(presented.slice(macAt));
  const keyId = presented.slice(keyIdAt, macAt - 1);
  if (tenantId === undefined || mac?.length !== MAC_BYTES || !isHex(keyId)) return undefined;
  // One text for each key: what decodes to the same bytes but is written otherwise is refused.
  if (base64url(mac) !== presented.slice(macAt)) return undefined;
  return { tenantId: new TextDecoder().decode(tenantId), keyId, mac };
}

/** Compares all bytes, whatever the first ones are. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}

function isHex(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (!"0123456789abcdef".includes(text.charAt(index))) return false;
  }
  return true;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromBase64url(text: string): Uint8Array | undefined {
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
