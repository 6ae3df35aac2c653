/**
 * Who may call at all: lists of addresses, networks and keys, compiled to sorted ranges. Deny beats allow beats exempt.
 * The top-level lists apply to everybody; beside them a tenant's own list applies, or its plan's of the same name where
 * it has none. Where two allow lists apply, a caller must be on both.
 *
 * Input: a caller's address as numbers and the id of its key, if it has one. An unknown address is on no list.
 * Cost: a binary search for each list, at most 11 steps; nothing is allocated.
 */
import { type Address, parseAccessEntry } from "./access-entry.ts";
import type { AccessConfig } from "./model.ts";

/** denied: on a deny list; unlisted: missing on an allow list; exempt: not charged by limits. */
export type Standing = "denied" | "unlisted" | "exempt" | "charged";

interface Ranges<N extends number | bigint> {
  /** Ascending, without overlap; `last` in the same order, inclusive. */
  readonly first: readonly N[];
  readonly last: readonly N[];
}

export interface AccessList {
  readonly keyIds: ReadonlySet<string>;
  readonly v4: Ranges<number>;
  readonly v6: Ranges<bigint>;
}

/** All lists that apply to the callers of one tenant. */
export interface CompiledAccess {
  readonly deny: readonly AccessList[];
  readonly allow: readonly AccessList[];
  readonly exempt: readonly AccessList[];
}

export function standingOf(access: CompiledAccess, address: Address, keyId: string | undefined): Standing {
  for (const list of access.deny) if (isOnList(list, address, keyId)) return "denied";
  for (const list of access.allow) if (!isOnList(list, address, keyId)) return "unlisted";
  for (const list of access.exempt) if (isOnList(list, address, keyId)) return "exempt";
  return "charged";
}

export function isOnList(list: AccessList, address: Address, keyId: string | undefined): boolean {
  if (keyId !== undefined && list.keyIds.has(keyId)) return true;
  switch (address.kind) {
    case "v4":
      return isWithin(list.v4, address.value);
    case "v6":
      return isWithin(list.v6, address.value);
    case "unknown":
      return false;
  }
}

function isWithin<N extends number | bigint>({ first, last }: Ranges<N>, value: N): boolean {
  let low = 0;
  let high = first.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const begins = first[middle];
    if (begins !== undefined && begins <= value) low = middle + 1;
    else high = middle;
  }
  const ends = last[low - 1];
  return ends !== undefined && value <= ends;
}

export type AccessOf = (plan: AccessConfig | undefined, own: AccessConfig | undefined) => CompiledAccess | undefined;

/** Compiles each list once, however many tenants share it. Undefined: no list applies. */
export function accessCompiler(everybody: AccessConfig | undefined): AccessOf {
  const compiled = new Map<readonly string[], AccessList>();
  const lists = (...texts: readonly (readonly string[] | undefined)[]): AccessList[] =>
    texts.flatMap((text) => {
      if (text === undefined || text.length === 0) return [];
      const list = compiled.get(text) ?? compileAccessList(text);
      compiled.set(text, list);
      return [list];
    });
  return (plan, own) => {
    const access: CompiledAccess = {
      deny: lists(everybody?.deny, own?.deny ?? plan?.deny),
      allow: lists(everybody?.allow, own?.allow ?? plan?.allow),
      exempt: lists(everybody?.exempt, own?.exempt ?? plan?.exempt),
    };
    return access.deny.length + access.allow.length + access.exempt.length === 0 ? undefined : access;
  };
}

export function compileAccessList(texts: readonly string[]): AccessList {
  const keyIds = new Set<string>();
  const v4: Range<number>[] = [];
  const v6: Range<bigint>[] = [];
  for (const text of texts) {
    const entry = parseAccessEntry(text);
    switch (entry.kind) {
      case "key":
        keyIds.add(entry.keyId);
        break;
      case "v4":
        v4.push(entry);
        break;
      case "v6":
        v6.push(entry);
        break;
      case "bad":
        throw new TypeError(`access entry ${text} was not checked`);
    }
  }
  return { keyIds, v4: sorted(v4), v6: sorted(v6) };
}

interface Range<N extends number | bigint> {
  readonly first: N;
  readonly last: N;
}

/** Networks lie within one another or apart, so a range that begins within an earlier one adds nothing. */
function sorted<N extends number | bigint>(ranges: readonly Range<N>[]): Ranges<N> {
  const first: N[] = [];
  const last: N[] = [];
  for (const range of ranges.toSorted((a, b) =>
    a.first < b.first ? -1 : a.first > b.first ? 1 : a.last > b.last ? -1 : 1,
  )) {
    const covered = last.at(-1);
    if (covered !== undefined && range.first <= covered) continue;
    first.push(range.first);
    last.push(range.last);
  }
  return { first, last };
}
