import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { size } from "../../../src/policy/sizing/size.ts";
import type { RecordedOrigin, RecordedTenant, Sizing, TenantInForce } from "../../../src/policy/sizing/types.ts";
import { asked, bucket, inForce, limited, originAsked, shop } from "./recorded.ts";

const PLAN = ["plans", "free", "limits", "requests"];
const sizeOf = (tenants: readonly RecordedTenant[], known: readonly TenantInForce[], tighten = false): Sizing =>
  size({ tenants, origins: [] }, inForce(known), tighten);
const standings = ({ tenants }: Sizing): Record<string, string> =>
  Object.fromEntries(tenants.map(({ demand, standing }) => [demand.tenant, standing]));

describe("a tenant's standing", () => {
  const five = bucket(5, 10);
  it.each([
    ["all alike", [4, 4, 4, 4], {}],
    ["one far over its peers and its limit", [4, 4, 5, 100], { d: "noisy" }],
    ["two of five", [4, 4, 5, 100, 90], { d: "noisy", e: "noisy" }],
    ["one over its peers, within the limit and not most of all", [1, 1, 1, 1, 4], { e: "other" }],
    ["one within three times its peers", [4, 4, 5, 12], {}],
  ])("%s", (_what, rates, differing) => {
    const names = ["a", "b", "c", "d", "e"].slice(0, rates.length);
    const tenants = rates.map((rate, index) => asked(names[index] ?? "", rate));
    const wellBehaved = Object.fromEntries(names.map((name) => [name, "well-behaved"]));
    expect(
      standings(
        sizeOf(
          tenants,
          names.map((name) => limited(name, [five])),
        ),
      ),
    ).toEqual({ ...wellBehaved, ...differing });
  });

  it("is judged by the others of its plan, where there are two at least, else by all", () => {
    const big = { plan: "pro" };
    const known = [
      ...["a", "b", "c"].map((name) => limited(name, [five])),
      ...["x", "y", "z"].map((name) => limited(name, [bucket(200, 400, "pro")], big)),
    ];
    const rates = { a: 4, b: 4, c: 4, x: 150, y: 150, z: 210 };
    const tenants = Object.entries(rates).map(([name, rate]) => asked(name, rate));
    expect(new Set(Object.values(standings(sizeOf(tenants, known))))).toEqual(new Set(["well-behaved"]));
    const two = known.filter(({ tenant }) => tenant !== "y" && tenant !== "z");
    expect(
      standings(
        sizeOf(
          tenants.filter(({ tenant }) => two.some((one) => one.tenant === tenant)),
          two,
        ),
      )["x"],
    ).toBe("other");
  });

  it("is not told of who has no peers, of callers by address, and of those that nothing is known of", () => {
    const known = [limited("a", [five]), limited("anonymous", [], { anonymous: true })];
    const sizing = sizeOf([asked("a", 900), asked("anonymous", 900), asked("gone", 900)], known);
    expect(standings(sizing)).toEqual({ a: "other", anonymous: "anonymous", gone: "other" });
    expect(sizing.proposals).toEqual([]);
  });

  it("noisy is told first, with how far over its peers and its limit it is", () => {
    const tenants = [asked("a", 4), asked("b", 4), asked("c", 4), asked("loud", 100), asked("louder", 200)];
    const { findings } = sizeOf(
      tenants,
      tenants.map(({ tenant }) => limited(tenant, [five])),
    );
    expect(findings.map(({ kind, tenants: about }) => [kind, about])).toEqual([
      ["noisy", ["louder"]],
      ["noisy", ["loud"]],
    ]);
    expect(findings[0]?.why).toBe(
      "asks for 200.0/s at p99, 40.0 times its limit; its peers' usual range ends at 12.0/s; 64 % of all that is asked",
    );
  });
});

describe("a limit that throttles who behaves", () => {
  const five = bucket(5, 10);
  const known = ["a", "b", "c", "loud"].map((name) => limited(name, [five]));
  const tenants = [
    asked("a", 7, { throttled: 10, peakTokens: 12 }),
    asked("b", 8, { throttled: 10, peakTokens: 23 }),
    asked("c", 3),
    asked("loud", 200, { throttled: 9_000 }),
  ];

  it("is raised to what the most of them need; the noisy one keeps what it has", () => {
    const { findings, proposals } = sizeOf(tenants, known);
    expect(findings.map(({ kind, place, tenants: about }) => [kind, place, about])).toEqual([
      ["noisy", undefined, ["loud"]],
      ["throttles-well-behaved", PLAN, ["a", "b"]],
    ]);
    expect(proposals).toEqual([
      { kind: "bucket", place: PLAN, ratePerSecond: 10, burstTokens: 25 },
      { kind: "keep", tenant: "loud", from: PLAN, name: "requests" },
    ]);
  });

  it("is none when the noisy one alone is throttled", () => {
    const quiet = tenants.map((one) => (one.tenant === "loud" ? one : { ...one, throttled: 0 }));
    expect(sizeOf(quiet, known).proposals).toEqual([]);
  });

  it("is told without a proposal where it covers what was asked: something else throttles", () => {
    const ample = ["a", "b", "c", "loud"].map((name) => limited(name, [bucket(50, 50)]));
    const { findings, proposals } = sizeOf(tenants, ample);
    expect(findings.find(({ kind }) => kind === "throttles-well-behaved")).toMatchObject({
      tenants: ["a", "b"],
      why: expect.stringContaining("limits of routes, of single callers"),
    });
    expect(proposals).toEqual([]);
  });

  it("cannot be kept for a noisy tenant of the API by the config: that is said", () => {
    const byApi = known.map((one) => (one.tenant === "loud" ? { ...one, byApi: true } : one));
    const { findings, proposals } = sizeOf(tenants, byApi);
    expect(proposals.map(({ kind }) => kind)).toEqual(["bucket"]);
    expect(findings[0]?.why).toContain("weir tenants set");
  });

  it("is the tenant's own where it has one, and its slots where those are too few", () => {
    const own = { ...bucket(5, 10), place: ["tenants", "a", "limits", "requests"] };
    const slots = { place: ["plans", "free", "concurrency"], slots: 2 };
    const mixed = known.map((one) => (one.tenant === "a" ? limited("a", [own], { concurrency: slots }) : one));
    const slow = tenants.map((one) => ({ ...one, meanSeconds: 0.5 }));
    expect(sizeOf(slow, mixed).proposals).toContainEqual({
      kind: "bucket",
      place: own.place,
      ratePerSecond: 9,
      burstTokens: 15,
    });
    expect(sizeOf(slow, mixed).proposals).toContainEqual({ kind: "slots", place: slots.place, slots: 15 });
  });

  it("counts callers by address, of whom only that is said", () => {
    const anonymous = limited("anonymous", [], { anonymous: true });
    const { findings, proposals } = sizeOf([asked("anonymous", 50, { throttled: 7 })], [anonymous]);
    expect(findings).toMatchObject([{ kind: "throttles-well-behaved", tenants: ["anonymous"] }]);
    expect(findings[0]?.why).toContain("7 requests by address");
    expect(proposals).toEqual([]);
  });
});

describe("a limit that isolates nobody", () => {
  it("is one of more than ten times what any of its tenants asked; lowered only where that is wanted", () => {
    const known = ["a", "b"].map((name) => limited(name, [bucket(200, 400)]));
    const tenants = [asked("a", 4, { peakTokens: 13 }), asked("b", 19.9)];
    expect(sizeOf(tenants, known)).toMatchObject({
      findings: [{ kind: "isolates-nobody", place: PLAN, tenants: ["a", "b"] }],
      proposals: [],
    });
    expect(sizeOf(tenants, known, true).proposals).toEqual([
      { kind: "bucket", place: PLAN, ratePerSecond: 25, burstTokens: 25 },
    ]);
    expect(sizeOf([asked("a", 20), asked("b", 4)], known, true).findings).toEqual([]);
    expect(sizeOf([asked("a", 4, { peakTokens: 40 }), asked("b", 4)], known, true).findings).toEqual([]);
  });
});

describe("an origin's slots", () => {
  const known = ["a", "b", "c", "loud"].map((name) => limited(name, [bucket(1_000)]));
  const tenants = [asked("a", 5), asked("b", 5), asked("c", 5), asked("loud", 100)];
  const shopAsked = (more: Partial<RecordedOrigin>): RecordedOrigin =>
    originAsked({ p99: 115, concurrencyP99: 12, ...more });
  const sizeShop = (
    more: Partial<RecordedOrigin>,
    origin = shop(10),
    who: readonly RecordedTenant[] = tenants,
    tighten = false,
  ): Sizing => size({ tenants: who, origins: [shopAsked(more)] }, inForce(known, [origin]), tighten);
  const own = (slots: number, tenant = "loud") => [{ kind: "slots", place: ["tenants", tenant, "concurrency"], slots }];

  it("are taken from who took most of them where calls were shed, so that what the others need is left", () => {
    const { findings, proposals } = sizeShop({ shed: 40 });
    expect(findings.map(({ kind, tenants: about }) => [kind, about])).toEqual([
      ["noisy", ["loud"]],
      ["throttles-well-behaved", ["a", "b", "c"]],
    ]);
    // 10 slots, 7 before callers are shed; the others need 3 × 5/s × 0.1 s × 1.2 = 1.8.
    expect(proposals).toEqual(own(5));
    // One in ten requests is answered, in ten times the mean; one call at once is left to everybody.
    expect(sizeShop({ shed: 40, answered: 100 }).proposals).toEqual(own(1));
  });

  it("are not taken from who has no more than is left, or is not in the file", () => {
    const held = (more: Partial<TenantInForce>): Sizing => {
      const all = known.map((one) => (one.tenant === "loud" ? { ...one, ...more } : one));
      return size({ tenants, origins: [shopAsked({ shed: 40 })] }, inForce(all, [shop(10)]), false);
    };
    const place = ["plans", "free", "concurrency"];
    expect(held({ concurrency: { place, slots: 5 } }).proposals).toEqual([]);
    expect(held({ concurrency: { place, slots: 6 } }).proposals).toEqual(own(5));
    expect(held({ byApi: true }).proposals).toEqual([]);
  });

  it("are not said to be taken by who is noisy elsewhere, and held by its limit", () => {
    const quick = tenants.map((one) =>
      one.tenant === "loud" ? { ...one, throttled: 99_000, meanSeconds: 0.001 } : one,
    );
    const [, found] = sizeShop({ shed: 40 }, shop(10), quick).findings;
    expect(found?.why).toContain("no tenant takes far more than the others");
  });

  it("are too few where calls were shed and nobody takes far more than the others", () => {
    const alike = tenants.filter(({ tenant }) => tenant !== "loud");
    const { findings, proposals } = sizeShop({ shed: 40 }, shop(10), alike);
    expect(findings.at(-1)).toMatchObject({
      kind: "throttles-well-behaved",
      place: ["origins", "shop", "concurrency"],
      tenants: [],
    });
    expect(proposals).toEqual([{ kind: "slots", place: ["origins", "shop", "concurrency"], slots: 30 }]);
    expect(sizeShop({ shed: 40 }, shop(30), alike).proposals).toEqual([]);
  });

  it("isolate nobody where one tenant's limits let it take them all, though nothing was shed yet", () => {
    const found = sizeShop({}).findings.find(({ kind }) => kind === "isolates-nobody");
    const place = ["origins", "shop", "concurrencyPerTenant"];
    expect(found).toMatchObject({ place, tenants: ["a", "b", "c", "loud"] });
    expect(sizeShop({}).proposals).toEqual([]);
    expect(sizeShop({}, shop(100), tenants, true).proposals).toContainEqual({ kind: "slots", place, slots: 25 });
    expect(sizeShop({}, shop(10, 4)).findings.filter(({ kind }) => kind === "isolates-nobody")).toEqual([]);
  });

  it("are taken, too, from one of another plan that stays within its limits", () => {
    const gold = [...known.slice(0, 3), limited("big", [bucket(1_000, 1_000, "gold")], { plan: "gold" })];
    const who = [...tenants.slice(0, 3), asked("big", 100)];
    const origins = [shopAsked({ shed: 40 })];
    const { findings, proposals } = size({ tenants: who, origins }, inForce(gold, [shop(10)]), false);
    expect(findings.some(({ kind }) => kind === "noisy")).toBe(false);
    expect(findings.at(-1)).toMatchObject({ kind: "throttles-well-behaved", tenants: ["a", "b", "c"] });
    expect(proposals).toEqual(own(5, "big"));
  });

  it("are not sized where there are none", () => {
    expect(sizeShop({ shed: 40 }, { origin: "shop" }).proposals).toEqual([]);
  });
});

describe("a proposal", () => {
  it("never lowers a limit unless asked to, and covers what every well-behaved tenant asked", () => {
    const tenant = fc.record({
      p99: fc.double({ min: 0, max: 1_000, noNaN: true }),
      peak: fc.nat(5_000),
      throttled: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(tenant, { minLength: 3, maxLength: 12 }), fc.integer({ min: 1, max: 500 }), (all, rate) => {
        const tenants = all.map(({ p99, peak, throttled }, index) =>
          asked(`t${index}`, p99, { peakTokens: peak, throttled }),
        );
        const sizing = sizeOf(
          tenants,
          tenants.map((one) => limited(one.tenant, [bucket(rate)])),
        );
        for (const proposal of sizing.proposals) {
          if (proposal.kind !== "bucket") continue;
          expect(proposal.ratePerSecond).toBeGreaterThanOrEqual(rate);
          expect(proposal.burstTokens).toBeGreaterThanOrEqual(rate);
          for (const { demand, standing } of sizing.tenants) {
            if (standing !== "well-behaved") continue;
            expect(proposal.ratePerSecond).toBeGreaterThanOrEqual(demand.p99);
            expect(proposal.burstTokens).toBeGreaterThanOrEqual(demand.peakTokens);
          }
        }
      }),
    );
  });
});
