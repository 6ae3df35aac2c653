/** Purges as a policy: what a bounded log decides is compared with one that never forgets. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import {
  catchUp,
  hearNews,
  indexPurges,
  judgePurges,
  lastHardPurge,
  newPurgeLog,
  newsSince,
  notePurge,
  parsePurge,
  type Purge,
  PURGE_BOUNDS,
  type PurgeBounds,
  type PurgeLog,
  type PurgeMode,
  type PurgeNews,
  type PurgeTarget,
  type PurgeVerdict,
  type StoredPlace,
} from "../../../src/policy/cache/purge.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? Math.floor(Math.random() * 1e9));
const RUNS = 100;
const UNBOUNDED: PurgeBounds = { purges: Infinity, characters: Infinity, lifeMs: Infinity };

const place = (path: string, change: Partial<StoredPlace> = {}): StoredPlace => ({
  tenant: "",
  host: "shop.example",
  path,
  tags: [],
  ...change,
});
const url = (value: string, change: Partial<PurgeTarget> = {}): PurgeTarget => ({ kind: "url", value, ...change });
const judge = (log: PurgeLog, where: StoredPlace, epoch: number): PurgeVerdict | undefined =>
  judgePurges(indexPurges(log), where, epoch);

function logOf(...purges: readonly (readonly [PurgeTarget, PurgeMode])[]): PurgeLog {
  const log = newPurgeLog();
  for (const [index, [target, mode]] of purges.entries()) {
    notePurge(log, { target, mode, epoch: index + 1, atMs: 1_000 * (index + 1) }, 1_000 * (index + 1));
  }
  return log;
}

describe("a purge", () => {
  it.each([
    [url("/a"), place("/a"), true],
    [url("/a"), place("/a?b=1"), false],
    [url("/a?b=1"), place("/a?b=1"), true],
    [url("/a"), place("/ab"), false],
    [url("/a", { host: "shop.example" }), place("/a"), true],
    [url("/a", { host: "other.example" }), place("/a"), false],
    [url("/a"), place("/a", { tenant: "acme" }), true],
    [url("/a", { tenant: "acme" }), place("/a", { tenant: "acme" }), true],
    [url("/a", { tenant: "acme" }), place("/a", { tenant: "globex" }), false],
    [url("/a", { tenant: "acme" }), place("/a"), false],
    [{ kind: "prefix", value: "/a/" }, place("/a/b?c"), true],
    [{ kind: "prefix", value: "/a/" }, place("/a"), false],
    [{ kind: "prefix", value: "/" }, place("/whatever", { tenant: "acme", host: "x" }), true],
    [{ kind: "prefix", value: "/a/", host: "other.example" }, place("/a/b"), false],
    [{ kind: "tag", value: "shoes" }, place("/x", { tags: ["boots", "shoes"] }), true],
    [{ kind: "tag", value: "shoes" }, place("/x", { tags: ["Shoes"] }), false],
    [{ kind: "tag", value: "shoes", tenant: "acme" }, place("/x", { tags: ["shoes"] }), false],
    [{ kind: "tag", value: "/a" }, place("/a"), false],
  ] satisfies [PurgeTarget, StoredPlace, boolean][])("of %j concerns %j: %s", (target, where, concerns) => {
    for (const mode of ["soft", "hard"] as const) {
      expect(judge(logOf([target, mode]), where, 0)?.mode).toBe(concerns ? mode : undefined);
      expect(judge(logOf([target, mode]), where, 1)).toBeUndefined();
    }
  });

  it("that is soft ends the life of what is older at its time, the earliest of several counts", () => {
    const log = logOf([url("/a"), "soft"], [{ kind: "prefix", value: "/" }, "soft"]);
    expect(judge(log, place("/a"), 0)).toEqual({ mode: "soft", endedAtMs: 1_000 });
    expect(judge(log, place("/a"), 1)).toEqual({ mode: "soft", endedAtMs: 2_000 });
  });

  it("that is soft does not undo an earlier hard one, and a later hard one holds for both", () => {
    const log = logOf([url("/a"), "hard"], [url("/a"), "soft"]);
    expect([0, 1, 2].map((epoch) => judge(log, place("/a"), epoch)?.mode)).toEqual(["hard", "soft", undefined]);
    notePurge(log, { target: url("/a"), mode: "hard", epoch: 3, atMs: 3_000 }, 3_000);
    expect([0, 1, 2, 3].map((epoch) => judge(log, place("/a"), epoch)?.mode)).toEqual([
      "hard",
      "hard",
      "hard",
      undefined,
    ]);
    expect(log.soft.byTarget.size).toBe(0);
    expect(log.soft.characters).toBe(0);
  });

  it("that comes late takes nothing away from a later one", () => {
    const log = newPurgeLog();
    for (const [mode, epoch] of [
      ["soft", 2],
      ["hard", 1],
      ["soft", 1],
    ] as const) {
      notePurge(log, { target: url("/a"), mode, epoch, atMs: epoch }, 2);
    }
    expect([0, 1, 2].map((epoch) => judge(log, place("/a"), epoch)?.mode)).toEqual(["hard", "soft", undefined]);
  });

  it("repeated a thousand times takes the place of one", () => {
    const log = logOf(...Array.from({ length: 1_000 }, () => [url("/a"), "soft"] as const));
    expect([log.soft.byTarget.size, log.soft.floor.epoch, log.epoch]).toEqual([1, 0, 1_000]);
  });

  it("that has fallen out of the log holds for everything older, in its mode", () => {
    const many = (mode: PurgeMode) =>
      Array.from({ length: PURGE_BOUNDS.purges + 10 }, (_, n) => [url(`/${n}`), mode] as const);
    for (const mode of ["soft", "hard"] as const) {
      const log = logOf(...many(mode));
      expect(log[mode].floor.epoch).toBe(10);
      expect(judge(log, place("/elsewhere"), 9)?.mode).toBe(mode);
      expect(judge(log, place("/elsewhere"), 10)).toBeUndefined();
      expect(judge(log, place("/200"), 200)?.mode).toBe(mode);
    }
    // Soft ones never push a hard one out.
    const log = logOf([url("/kept"), "hard"], ...many("soft"));
    expect([judge(log, place("/kept"), 0)?.mode, log.hard.floor.epoch]).toEqual(["hard", 0]);
  });

  it("older than anything stored leaves the log, and still holds for what claims to be older", () => {
    const log = logOf([url("/a"), "hard"]);
    notePurge(log, { target: url("/b"), mode: "hard", epoch: 2, atMs: 0 }, PURGE_BOUNDS.lifeMs + 1_001);
    expect([...log.hard.byTarget.values()].map(({ epoch }) => epoch)).toEqual([]);
    expect([judge(log, place("/c"), 0)?.mode, judge(log, place("/c"), 2)]).toEqual(["hard", undefined]);
  });

  it("is known by the last hard one when something is kept anew", () => {
    const log = logOf([url("/a"), "hard"], [url("/a"), "soft"], [{ kind: "tag", value: "t" }, "hard"]);
    const last = (where: StoredPlace): number => lastHardPurge(indexPurges(log), where);
    expect([last(place("/a")), last(place("/b")), last(place("/b", { tags: ["t"] }))]).toEqual([1, 0, 3]);
  });
});

interface World {
  readonly random: () => number;
  readonly bounds: PurgeBounds;
  nowMs: number;
}

const pick = <Item>(random: () => number, items: readonly [Item, ...Item[]]): Item =>
  items[Math.floor(random() * items.length)] ?? items[0];

const randomTarget = (random: () => number): PurgeTarget => ({
  ...pick<PurgeTarget>(random, [
    { kind: "url", value: pick(random, ["/a", "/a/b", "/c", "/c?d"]) },
    { kind: "prefix", value: pick(random, ["/", "/a", "/a/", "/c"]) },
    { kind: "tag", value: pick(random, ["t", "u", "v"]) },
  ]),
  ...(random() < 0.3 ? { host: pick(random, ["h", "i"]) } : {}),
  ...(random() < 0.3 ? { tenant: pick(random, ["m", "n"]) } : {}),
});

const randomPlace = (random: () => number): StoredPlace => ({
  tenant: pick(random, ["", "m", "n"]),
  host: pick(random, ["h", "i"]),
  path: pick(random, ["/a", "/a/b", "/c", "/c?d", "/e"]),
  tags: ["t", "u", "v"].filter(() => random() < 0.3),
});

const newWorld = (run: number): World => {
  const random = seeded(SEED + run);
  return {
    random,
    bounds: { purges: 1 + Math.floor(random() * 8), characters: 20 + Math.floor(random() * 200), lifeMs: 5_000 },
    nowMs: 10_000,
  };
};

function nextPurge({ random, nowMs }: World, epoch: number): Purge {
  return { target: randomTarget(random), mode: random() < 0.3 ? "hard" : "soft", epoch, atMs: nowMs };
}

/** Whatever the full history purges, the bounded log purges, too, at least as hard. */
function expectNothingForgotten(world: World, full: PurgeLog, bounded: PurgeLog, what: string): void {
  for (let sample = 0; sample < 20; sample++) {
    const where = randomPlace(world.random);
    const epoch = Math.floor(world.random() * (full.epoch + 1));
    const truth = judge(full, where, epoch);
    const verdict = judge(bounded, where, epoch);
    const context = `seed ${SEED}: ${what}, ${JSON.stringify(where)} of epoch ${epoch}`;
    if (truth?.mode === "hard") expect(verdict?.mode, context).toBe("hard");
    if (truth?.mode === "soft") expect(verdict, context).toBeDefined();
    if (verdict?.mode === "soft") expect(verdict.endedAtMs, context).toBeLessThanOrEqual(world.nowMs);
  }
}

describe(`over ${RUNS} random histories (seed ${SEED})`, () => {
  it("a purge is never forgotten, whatever the bounds", () => {
    for (let run = 0; run < RUNS; run++) {
      const world = newWorld(run);
      const [full, bounded] = [newPurgeLog(), newPurgeLog()];
      for (let epoch = 1; epoch <= 40; epoch++) {
        world.nowMs += world.random() * 400;
        const purge = nextPurge(world, epoch);
        notePurge(full, purge, world.nowMs, UNBOUNDED);
        notePurge(bounded, purge, world.nowMs, world.bounds);
        for (const mode of [bounded.soft, bounded.hard]) {
          expect(mode.byTarget.size).toBeLessThanOrEqual(world.bounds.purges);
          expect(mode.characters).toBeLessThanOrEqual(world.bounds.characters);
          expect(mode.characters).toBe([...mode.byTarget.keys()].reduce((sum, { length }) => sum + length, 0));
        }
        expectNothingForgotten(world, full, bounded, `run ${run}, purge ${epoch}`);
      }
    }
  });

  it("nothing but what was purged is purged, while nothing has fallen out", () => {
    for (let run = 0; run < RUNS; run++) {
      const world = newWorld(run);
      const log = newPurgeLog();
      const history: Purge[] = [];
      for (let epoch = 1; epoch <= 40; epoch++) {
        const purge = nextPurge(world, epoch);
        history.push(purge);
        notePurge(log, purge, world.nowMs, UNBOUNDED);
        const where = randomPlace(world.random);
        const from = Math.floor(world.random() * epoch);
        const alone = history
          .filter((past) => past.epoch > from)
          .map((past) => {
            const single = newPurgeLog();
            notePurge(single, past, world.nowMs, UNBOUNDED);
            return judge(single, where, from)?.mode;
          });
        const expected = alone.includes("hard") ? "hard" : alone.find((mode) => mode !== undefined);
        expect(judge(log, where, from)?.mode, `seed ${SEED}, run ${run}, purge ${epoch}`).toBe(expected);
      }
    }
  });

  it("an edge that hears late, twice, and in any order has missed nothing", () => {
    for (let run = 0; run < RUNS; run++) {
      const world = newWorld(run);
      const [full, coordinator, edge] = [newPurgeLog(), newPurgeLog(), newPurgeLog()];
      const onTheWay: { readonly news: PurgeNews; readonly askedAtMs: number }[] = [];
      for (let epoch = 1; epoch <= 40; epoch++) {
        world.nowMs += world.random() * 400;
        const purge = nextPurge(world, epoch);
        notePurge(full, purge, world.nowMs, UNBOUNDED);
        notePurge(coordinator, purge, world.nowMs, world.bounds);
        if (world.random() < 0.5) {
          onTheWay.push({ news: newsSince(coordinator, edge.epoch, world.nowMs), askedAtMs: world.nowMs });
        }
        while (onTheWay.length > 0 && world.random() < 0.4) {
          const arrived = onTheWay.splice(Math.floor(world.random() * onTheWay.length), 1)[0];
          if (arrived === undefined) break;
          hearNews(edge, arrived.news, arrived.askedAtMs, world.bounds);
          if (world.random() < 0.3) hearNews(edge, arrived.news, arrived.askedAtMs, world.bounds);
        }
      }
      hearNews(edge, newsSince(coordinator, edge.epoch, world.nowMs), world.nowMs, world.bounds);
      expect(edge.epoch).toBe(40);
      expectNothingForgotten(world, full, edge, `run ${run}`);
    }
  });
});

describe("a coordinator that has lost its log", () => {
  it("goes on from what edges know, and everything stored until then is stale", () => {
    const log = newPurgeLog();
    expect(catchUp(log, 0, 5_000)).toBe(false);
    expect(catchUp(log, 57, 5_000)).toBe(true);
    expect(log.epoch).toBe(58);
    expect(judge(log, place("/a"), 57)).toEqual({ mode: "soft", endedAtMs: 5_000 });
    expect(judge(log, place("/a"), 58)).toBeUndefined();
  });
});

describe("a stored purge", () => {
  it("is read back as it was, and what is none is refused", () => {
    const purge = { target: url("/a", { host: "h", tenant: "t" }), mode: "hard", epoch: 3 } as const;
    expect(parsePurge(JSON.parse(JSON.stringify(purge)))).toEqual(purge);
    for (const wrong of [
      null,
      3,
      {},
      { ...purge, epoch: -1 },
      { ...purge, epoch: 1.5 },
      { ...purge, mode: "gentle" },
      { ...purge, target: undefined },
      { ...purge, target: { kind: "regex", value: "/a" } },
      { ...purge, target: { kind: "url", value: "" } },
      { ...purge, target: { kind: "url", value: "/a\nb" } },
      { ...purge, target: { kind: "url", value: "/a", host: 7 } },
      { ...purge, target: { kind: "url", value: `/${"a".repeat(8_192)}` } },
    ]) {
      expect(parsePurge(wrong), JSON.stringify(wrong)).toBeUndefined();
    }
  });
});
