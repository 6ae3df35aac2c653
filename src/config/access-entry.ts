/**
 * One entry of an access list: an address, a network (CIDR) or a key. Every entry has one canonical text, by which the
 * same entry is found twice however it was written; IPv4-mapped IPv6 is IPv4.
 */
import ipaddr from "ipaddr.js";

export type AccessEntry =
  | { readonly kind: "key"; readonly text: string; readonly keyId: string }
  | { readonly kind: "v4"; readonly text: string; readonly first: number; readonly last: number }
  | { readonly kind: "v6"; readonly text: string; readonly first: bigint; readonly last: bigint }
  | { readonly kind: "bad"; readonly message: string };

/** An address as numbers, which ranges are compared with. "unknown": what is no address. */
export type Address =
  | { readonly kind: "v4"; readonly value: number }
  | { readonly kind: "v6"; readonly value: bigint }
  | { readonly kind: "unknown" };

/** No address in text is longer; IPv6 with an IPv4 tail has 45 characters, and a zone may follow. */
const MAX_ADDRESS_LENGTH = 64;
const V4_BITS = 32;
const V6_BITS = 128;
/** Bits before the IPv4 address in ::ffff:0:0/96. */
const MAPPED_BITS = V6_BITS - V4_BITS;
const KEY_PREFIX = "key:";
const KEY_ID = /^[0-9a-f]{16}$/;
const PREFIX_LENGTH = /^(?:0|[1-9]\d{0,2})$/;

const UNKNOWN: Address = { kind: "unknown" };
const NO_ENTRY: AccessEntry = bad(
  'is no address, network or key; valid are for example "203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "key:0123456789abcdef"',
);

/** The address of a caller, in any form; throws nothing. */
export function parseAddress(text: string): Address {
  if (text.length > MAX_ADDRESS_LENGTH || !ipaddr.isValid(text)) return UNKNOWN;
  const address = ipaddr.process(text);
  const value = numberOf(address);
  return address instanceof ipaddr.IPv6 ? { kind: "v6", value } : { kind: "v4", value: Number(value) };
}

/** Strict about the form: what some programs read as another address (`010.0.0.1`, `127.1`) is refused. */
export function parseAccessEntry(text: string): AccessEntry {
  if (text.startsWith(KEY_PREFIX)) return parseKey(text);
  const slash = text.indexOf("/");
  const addressText = slash === -1 ? text : text.slice(0, slash);
  const address = parseStrictly(addressText);
  if (address === undefined) return NO_ENTRY;
  const bits = address instanceof ipaddr.IPv6 ? V6_BITS : V4_BITS;
  const prefixText = slash === -1 ? String(bits) : text.slice(slash + 1);
  const prefix = PREFIX_LENGTH.test(prefixText) ? Number(prefixText) : Number.NaN;
  if (!(prefix <= bits)) {
    return bad(`must have a prefix of 0 to ${bits}, as in "${addressText}/${bits}"`);
  }
  const value = numberOf(address);
  const hostBits = (1n << BigInt(bits - prefix)) - 1n;
  if ((value & hostBits) !== 0n) {
    const network = textOf(addressOf(value & ~hostBits, bits), prefix);
    return bad(`is no network: it has bits set behind its prefix; write "${network}", or "${addressText}" alone`);
  }
  if (!(address instanceof ipaddr.IPv6)) return entryV4(address, value, prefix);
  if (address.isIPv4MappedAddress() && prefix >= MAPPED_BITS) {
    const folded = address.toIPv4Address();
    return entryV4(folded, numberOf(folded), prefix - MAPPED_BITS);
  }
  return { kind: "v6", text: textOf(address, prefix), first: value, last: value | hostBits };
}

function parseKey(text: string): AccessEntry {
  const keyId = text.slice(KEY_PREFIX.length);
  if (KEY_ID.test(keyId)) return { kind: "key", text, keyId };
  return bad('must name a key by its id, 16 hex digits as in "weir keys list": "key:0123456789abcdef"');
}

function parseStrictly(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (text.length > MAX_ADDRESS_LENGTH || text.includes("%")) return undefined;
  if (text.includes(":")) return ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : undefined;
  return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : undefined;
}

function entryV4(address: ipaddr.IPv4, value: bigint, prefix: number): AccessEntry {
  const last = value | ((1n << BigInt(V4_BITS - prefix)) - 1n);
  return { kind: "v4", text: textOf(address, prefix), first: Number(value), last: Number(last) };
}

function textOf(address: ipaddr.IPv4 | ipaddr.IPv6, prefix: number): string {
  const whole = address instanceof ipaddr.IPv6 ? V6_BITS : V4_BITS;
  const text = address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
  return prefix === whole ? text : `${text}/${prefix}`;
}

function numberOf(address: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return address.toByteArray().reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function addressOf(value: bigint, bits: number): ipaddr.IPv4 | ipaddr.IPv6 {
  const bytes = Array.from({ length: bits / 8 }, (_, index) =>
    Number((value >> BigInt(bits - 8 * (index + 1))) & 0xffn),
  );
  return ipaddr.fromByteArray(bytes);
}

function bad(message: string): AccessEntry {
  return { kind: "bad", message };
}
