/** Access lists: what an entry may be, what a list matches (against ipaddr.js), which lists apply to whom. */
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { parseAccessEntry, parseAddress } from "../../src/config/access-entry.ts";
import { accessCompiler, type Standing, standingOf } from "../../src/config/access.ts";
import { compileTables } from "../../src/config/compile.ts";
import { loadConfig, type LoadResult } from "../../src/config/load.ts";
import type { AccessConfig } from "../../src/config/model.ts";
import type { Tables } from "../../src/config/tables.ts";

const SEED = process.env["FC_SEED"] === undefined ? Date.now() % 1_000_000 : Number(process.env["FC_SEED"]);
const KEY = "0123456789abcdef";
const OTHER_KEY = "fedcba9876543210";

const base = {
  version: 1,
  origins: { app: { url: "https://app.example" } },
  identity: [{ type: "anonymous", plan: "open" }],
  plans: { open: {} },
  tenants: { acme: { plan: "open" }, other: { plan: "open" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
};

function load(change: Record<string, unknown>): Promise<LoadResult> {
  return loadConfig(JSON.stringify({ ...base, ...change }), { configVersion: 1, readPage: async () => undefined });
}

async function problemsOf(change: Record<string, unknown>): Promise<string[]> {
  const result = await load(change);
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

async function tablesOf(change: Record<string, unknown>): Promise<Tables> {
  const result = await load(change);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return compileTables(result.config);
}

function standing(tables: Tables, tenantId: string, address: string, keyId?: string): Standing | undefined {
  const access = tables.tenant(tenantId)?.access;
  return access === undefined ? undefined : standingOf(access, parseAddress(address), keyId);
}

describe("an access entry", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["203.0.113.7/32", "203.0.113.7"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8:0:0::/32", "2001:db8::/32"],
    ["2001:db8::1/128", "2001:db8::1"],
    ["::/0", "::/0"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
    ["::ffff:a00:0/104", "10.0.0.0/8"],
    [`key:${KEY}`, `key:${KEY}`],
  ])("%s is %s in canonical text", (text, canonical) => {
    const entry = parseAccessEntry(text);
    expect(entry.kind === "bad" ? entry.message : entry.text).toBe(canonical);
    expect(parseAccessEntry(canonical)).toEqual(entry);
  });

  it.each([
    ["", "valid are for example"],
    ["shop.example", "valid are for example"],
    ["10.0.0", "valid are for example"],
    ["127.1", "valid are for example"],
    ["010.0.0.1", "valid are for example"],
    ["0x7f.0.0.1", "valid are for example"],
    ["10.0.0.256", "valid are for example"],
    ["fe80::1%eth0", "valid are for example"],
    [" 10.0.0.1", "valid are for example"],
    ["1".repeat(10_000), "valid are for example"],
    ["10.0.0.0/33", "a prefix of 0 to 32"],
    ["10.0.0.0/-1", "a prefix of 0 to 32"],
    ["10.0.0.0/", "a prefix of 0 to 32"],
    ["10.0.0.0/08", "a prefix of 0 to 32"],
    ["10.0.0.0/255.0.0.0", "a prefix of 0 to 32"],
    ["10.0.0.0/8/8", "a prefix of 0 to 32"],
    ["2001:db8::/129", "a prefix of 0 to 128"],
    ["10.1.2.3/8", 'write "10.0.0.0/8", or "10.1.2.3" alone'],
    ["0.0.0.1/0", 'write "0.0.0.0/0"'],
    ["2001:db8::1/32", 'write "2001:db8::/32", or "2001:db8::1" alone'],
    ["key:", "16 hex digits"],
    ["key:0123456789ABCDEF", "16 hex digits"],
    ["key:0123456789abcdef0", "16 hex digits"],
  ])("%j is refused: %s", (text, message) => {
    const entry = parseAccessEntry(text);
    expect(entry.kind === "bad" ? entry.message : entry).toContain(message);
  });
});

describe("access lists in the config", () => {
  it("are checked at all three places, every problem at once, with what was found", async () => {
    const problems = await problemsOf({
      access: { deny: ["10.1.2.3/8", "10.0.0.0/99"] },
      plans: { open: { access: { allow: ["everybody"] } } },
      tenants: { acme: { plan: "open", access: { exempt: ["key:short"] } } },
    });
    expect(problems).toEqual([
      expect.stringMatching(/^access\.deny\.0: .*write "10\.0\.0\.0\/8".*; found "10\.1\.2\.3\/8"$/),
      expect.stringMatching(/^access\.deny\.1: .*0 to 32.*; found "10\.0\.0\.0\/99"$/),
      expect.stringMatching(/^plans\.open\.access\.allow\.0: .*valid are.*; found "everybody"$/),
      expect.stringMatching(/^tenants\.acme\.access\.exempt\.0: .*16 hex digits.*; found "key:short"$/),
    ]);
  });

  it("may name nobody twice, however it is written, and the same caller on two lists", async () => {
    expect(await problemsOf({ access: { deny: ["10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1"] } })).toEqual([
      'access.deny.2: is the same as access.deny.0; found "::ffff:10.0.0.1"',
    ]);
    expect(await problemsOf({ access: { deny: ["10.0.0.1"], exempt: ["10.0.0.1"] } })).toEqual([]);
  });

  it("may have a thousand entries and no more; an empty allow list and unknown lists are refused", async () => {
    const entries = Array.from({ length: 1_001 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    expect(await problemsOf({ access: { deny: entries.slice(1) } })).toEqual([]);
    expect(await problemsOf({ access: { deny: entries } })).toEqual([
      "access.deny: has 1001 entries; at most 1000 are allowed",
    ]);
    expect((await problemsOf({ access: { allow: [] } }))[0]).toContain("would refuse everybody");
    expect((await problemsOf({ access: { block: [] } }))[0]).toContain("valid keys: deny, allow, exempt");
  });
});

const byte = fc.constantFrom(0, 1, 10, 127, 128, 254, 255);
const bytesOf = (length: number): fc.Arbitrary<number[]> => fc.array(byte, { minLength: length, maxLength: length });
const mapped = (tail: readonly number[]): number[] => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...tail];
/** Few different bytes, so that addresses often lie in or right beside a network. */
const address = fc.oneof(bytesOf(4), bytesOf(16), bytesOf(4).map(mapped)).map((bytes) => ipaddr.fromByteArray(bytes));
const network = fc.oneof(
  fc.tuple(bytesOf(4), fc.integer({ min: 0, max: 32 })),
  fc.tuple(bytesOf(16), fc.integer({ min: 0, max: 128 })),
  fc.tuple(bytesOf(4).map(mapped), fc.integer({ min: 96, max: 128 })),
);
const entry = network.map(([bytes, prefix]) => {
  const masked = bytes.map((value, index) => value & (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * index))) & 0xff);
  return `${ipaddr.fromByteArray(masked).toString()}/${prefix}`;
});

/** By ipaddr.js alone, entry by entry. */
function naiveMatch(text: string, entries: readonly string[]): boolean {
  const caller = ipaddr.process(text);
  return entries.some((candidate) => {
    const [net, bits] = ipaddr.parseCIDR(candidate);
    const folds = net instanceof ipaddr.IPv6 && net.isIPv4MappedAddress();
    const [against, prefix] = folds ? [net.toIPv4Address(), bits - 96] : [net, bits];
    return caller.kind() === against.kind() && caller.match(against, prefix);
  });
}

describe("an access list", () => {
  it("matches the addresses that ipaddr.js finds in one of its networks, and no other", () => {
    let matched = 0;
    let compared = 0;
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 12 }),
        fc.array(address, { minLength: 20, maxLength: 20 }),
        (deny, all) => {
          const access = accessCompiler({ deny })(undefined, undefined);
          for (const text of all.map(String)) {
            const expected = naiveMatch(text, deny);
            const actual = access === undefined ? "charged" : standingOf(access, parseAddress(text), undefined);
            expect(actual, `${text} in ${deny.join(" ")}`).toBe(expected ? "denied" : "charged");
            compared++;
            if (expected) matched++;
          }
        },
      ),
      { numRuns: 1_000, seed: SEED },
    );
    console.log(`seed ${SEED}: ${compared} addresses compared, ${matched} on their list`);
    expect(matched).toBeGreaterThan(compared / 50);
    expect(matched).toBeLessThan(compared * 0.9);
  });

  it("matches the first and the last address of each network and not the ones beside it", () => {
    const at = accessCompiler({ deny: ["10.1.0.0/16", "10.3.0.0/16", "2001:db8::/32", "255.255.255.255", "::"] });
    const access = at(undefined, undefined)!;
    const isDenied = (text: string): boolean => standingOf(access, parseAddress(text), undefined) === "denied";
    const inside = ["10.1.0.0", "10.1.255.255", "10.3.0.0", "10.3.255.255", "255.255.255.255", "::", "2001:db8::"];
    const outside = [
      "10.0.255.255",
      "10.2.0.0",
      "10.2.255.255",
      "10.4.0.0",
      "0.0.0.0",
      "::1",
      "2001:db9::",
      "::ffff:0:0",
    ];
    expect(inside.filter((text) => !isDenied(text))).toEqual([]);
    expect(outside.filter(isDenied)).toEqual([]);
    expect(isDenied("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")).toBe(true);
    expect(isDenied("::ffff:10.1.2.3")).toBe(true);
  });

  it("keeps the wider of nested networks", () => {
    const access = accessCompiler({ deny: ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.5"] })(undefined, undefined)!;
    expect(standingOf(access, parseAddress("10.200.0.1"), undefined)).toBe("denied");
  });
});

describe("who may call", () => {
  it("is not asked where no list applies", async () => {
    const tables = await tablesOf({ tenants: { acme: { plan: "open", access: { deny: [] } } } });
    expect(tables.tenant("acme")?.access).toBeUndefined();
    expect(tables.anonymous("open")?.access).toBeUndefined();
  });

  it("is decided by deny before allow before exempt", async () => {
    const access = { deny: ["10.0.0.1"], allow: ["10.0.0.1", "10.0.0.2", "10.0.0.3"], exempt: ["10.0.0.0/8"] };
    const tables = await tablesOf({ access });
    expect(standing(tables, "acme", "10.0.0.1")).toBe("denied");
    expect(standing(tables, "acme", "10.0.0.2")).toBe("exempt");
    expect(standing(tables, "acme", "10.0.0.4")).toBe("unlisted");
    expect(standing(await tablesOf({ access: { deny: ["10.0.0.1"] } }), "acme", "10.0.0.4")).toBe("charged");
  });

  it("is decided by key or by address, whichever is listed", async () => {
    const tables = await tablesOf({ access: { allow: ["10.0.0.0/8", `key:${KEY}`] } });
    expect(standing(tables, "acme", "192.0.2.1", KEY)).toBe("charged");
    expect(standing(tables, "acme", "10.0.0.1", OTHER_KEY)).toBe("charged");
    expect(standing(tables, "acme", "192.0.2.1", OTHER_KEY)).toBe("unlisted");
    expect(standing(tables, "acme", "192.0.2.1")).toBe("unlisted");
  });

  it.each(["", "nonsense", "1".repeat(10_000)])("an unknown address (%.20j) is on no list", async (unknown) => {
    const everywhere = ["0.0.0.0/0", "::/0"];
    const of = async (access: AccessConfig): Promise<Tables> => tablesOf({ access });
    expect(standing(await of({ deny: everywhere }), "acme", unknown)).toBe("charged");
    expect(standing(await of({ exempt: everywhere }), "acme", unknown)).toBe("charged");
    expect(standing(await of({ allow: everywhere }), "acme", unknown)).toBe("unlisted");
    expect(standing(await of({ allow: [`key:${KEY}`] }), "acme", unknown, KEY)).toBe("charged");
  });

  it("a tenant's list stands for its plan's of the same name, and leaves the plan's others", async () => {
    const tables = await tablesOf({
      plans: { open: { access: { deny: ["10.0.0.1"], exempt: ["10.0.0.9"] } } },
      tenants: { acme: { plan: "open", access: { deny: ["10.0.0.2"] } }, other: { plan: "open" } },
    });
    expect(standing(tables, "acme", "10.0.0.1")).toBe("charged");
    expect(standing(tables, "acme", "10.0.0.2")).toBe("denied");
    expect(standing(tables, "acme", "10.0.0.9")).toBe("exempt");
    expect(standing(tables, "other", "10.0.0.1")).toBe("denied");
    expect(standing(tables, "other", "10.0.0.2")).toBe("charged");
    const anonymous = tables.anonymous("open")?.access;
    expect(anonymous && standingOf(anonymous, parseAddress("10.0.0.1"), undefined)).toBe("denied");
  });

  it("the top-level lists apply beside a tenant's: both allow lists must name the caller", async () => {
    const tables = await tablesOf({
      access: { deny: ["10.0.0.1"], allow: ["10.0.0.0/8"] },
      tenants: { acme: { plan: "open", access: { deny: [], allow: ["10.0.0.0/24", "192.0.2.1"] } } },
    });
    expect(standing(tables, "acme", "10.0.0.1")).toBe("denied");
    expect(standing(tables, "acme", "10.0.0.2")).toBe("charged");
    expect(standing(tables, "acme", "10.1.0.2")).toBe("unlisted");
    expect(standing(tables, "acme", "192.0.2.1")).toBe("unlisted");
  });

  it("is compiled once for all tenants of a plan", async () => {
    const tables = await tablesOf({ plans: { open: { access: { deny: ["10.0.0.1"] } } } });
    expect(tables.tenant("acme")?.access?.deny[0]).toBe(tables.tenant("other")?.access?.deny[0]);
  });
});
