import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Control } from "../../src/coordinators/control/object.ts";
import type { NO_COUNTS } from "../../src/policy/rollout/rollout.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { originObjectName } from "../../src/protocol/origin.ts";

const packed = (content: string) => new TextEncoder().encode(content);
const write = (content: string, author = "ann") => ({
  v: 1 as const,
  hash: `hash of ${content}`,
  packed: packed(content),
  text: `text of ${content}`,
  author,
  message: `make it ${content}`,
  originIds: ["shop"],
});
const deploy = (content: string, configVersion: number) => ({
  v: 1 as const,
  configVersion,
  hash: `hash of ${content}`,
  packed: packed(content),
  text: undefined,
  originIds: ["shop"],
});
const direct = { trial: undefined };
const trial = { trial: { shareRatio: 0.05, forMs: 60_000 } };

const counts = (requests: number, failed = 0) => ({ requests, failed, throttled: 0 });

describe("Control object", () => {
  let control: DurableObjectStub<Control>;
  beforeEach(() => {
    control = env.CONTROL.getByName(CONTROL_OBJECT);
  });
  afterEach(() => reset());

  const inForce = async () => (await control.inForce({ v: 1 })).inForce;
  const read = async (number: number) => {
    const content = await control.read({ v: 1, number });
    return content === undefined ? undefined : new TextDecoder().decode(content.packed);
  };

  describe("a deploy", () => {
    it("is taken over when it is the first, and is then what holds", async () => {
      expect(await control.inForce({ v: 1, bundle: { configVersion: 10, hash: "hash of a" } })).toEqual({
        inForce: undefined,
        wantsBundle: true,
      });
      expect(await control.adopt(deploy("a", 10))).toEqual({ inForce: { sequence: 1, number: 1 } });
      expect(await read(1)).toBe("a");
    });

    it("that many isolates tell of is taken over once", async () => {
      await Promise.all(Array.from({ length: 20 }, () => control.adopt(deploy("a", 10))));
      expect(await inForce()).toEqual({ sequence: 1, number: 1 });
    });

    it("of the same file, or of an older build, changes nothing", async () => {
      await control.adopt(deploy("a", 10));
      await control.apply({ ...write("b"), ...direct, expected: 1 });
      expect((await control.inForce({ v: 1, bundle: { configVersion: 11, hash: "hash of a" } })).wantsBundle).toBe(
        false,
      );
      expect((await control.inForce({ v: 1, bundle: { configVersion: 9, hash: "hash of z" } })).wantsBundle).toBe(
        false,
      );
      await control.adopt(deploy("z", 9));
      expect((await inForce())?.number).toBe(2);
    });

    it("that is newer and other replaces what was applied", async () => {
      await control.adopt(deploy("a", 10));
      await control.apply({ ...write("b"), ...direct, expected: 1 });
      await control.adopt(deploy("c", 11));
      expect((await inForce())?.number).toBe(3);
      expect(await read(3)).toBe("c");
    });
  });

  describe("apply", () => {
    it("adds a version with author, message and time, and puts it in force", async () => {
      await control.adopt(deploy("a", 10));
      const outcome = await control.apply({ ...write("b"), ...direct, expected: 1 });
      expect(outcome).toMatchObject({
        kind: "done",
        inForce: { sequence: 2, number: 2 },
        version: { number: 2, author: "ann", message: "make it b", source: "apply", hash: "hash of b" },
      });
      expect((await control.read({ v: 1, number: 2 }))?.text).toBe("text of b");
    });

    it("by two at once is done for one and a conflict for the other", async () => {
      await control.adopt(deploy("a", 10));
      const outcomes = await Promise.all([
        control.apply({ ...write("b", "ann"), ...direct, expected: 1 }),
        control.apply({ ...write("c", "bob"), ...direct, expected: 1 }),
      ]);
      expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(["conflict", "done"]);
    });

    it("of what is in force already adds nothing", async () => {
      await control.adopt(deploy("a", 10));
      expect(await control.apply({ ...write("a"), ...direct, expected: 1 })).toMatchObject({ kind: "same" });
      expect((await control.history({ v: 1, before: undefined, limit: 10 })).versions).toHaveLength(1);
    });

    it("is kept over an eviction", async () => {
      await control.adopt(deploy("a", 10));
      await control.apply({ ...write("b"), ...direct, expected: 1 });
      await evictDurableObject(control);
      expect((await inForce())?.number).toBe(2);
      expect(await read(2)).toBe("b");
    });

    it("gives every version a greater configVersion than all before, whatever the clock says", async () => {
      const future = Date.now() + 86_400_000;
      await control.adopt(deploy("a", future));
      await control.apply({ ...write("b"), ...direct, expected: 1 });
      const { versions } = await control.history({ v: 1, before: undefined, limit: 10 });
      expect(versions.map(({ configVersion }) => configVersion)).toEqual([future + 1, future]);
    });

    it("is told to the origins, again until they hear it", async () => {
      await control.adopt(deploy("a", 10));
      await control.apply({ ...write("b"), ...direct, expected: 1 });
      await runDurableObjectAlarm(control);
      const origin = env.ORIGIN.getByName(originObjectName("shop"));
      const heard = await runInDurableObject(origin, (_object, state) =>
        state.storage.sql.exec("SELECT value FROM meta WHERE name = 'config-in-force'").toArray(),
      );
      expect(JSON.parse(String(heard[0]?.["value"]))).toEqual({ sequence: 2, number: 2 });
    });

    it("refuses what is malformed, and changes nothing", async () => {
      await control.adopt(deploy("a", 10));
      const bad = { ...write("b"), expected: 1, trial: { shareRatio: 2, forMs: 1 } };
      const empty = { ...write("b"), ...direct, packed: new Uint8Array(), expected: 1 };
      await runInDurableObject(control, async (object) => {
        await expect(object.apply(bad)).rejects.toThrow("share of a trial");
        await expect(object.apply(empty)).rejects.toThrow("packed content");
      });
      expect((await inForce())?.number).toBe(1);
    });

    it("stores a content of several chunks as it came", async () => {
      const large = new Uint8Array(3_000_000).map((_, index) => index % 251);
      await control.adopt({ ...deploy("a", 10), packed: large });
      expect(new Uint8Array((await control.read({ v: 1, number: 1 }))?.packed ?? [])).toEqual(large);
    });
  });

  describe("rollback", () => {
    it("makes the content of an earlier version a new one", async () => {
      await control.adopt(deploy("a", 10));
      await control.apply({ ...write("b"), ...direct, expected: 1 });
      const outcome = await control.rollback({ v: 1, number: 1, expected: 2, author: "bob", message: "b was bad" });
      expect(outcome).toMatchObject({ kind: "done", version: { number: 3, source: "rollback", contentOf: 1 } });
      expect(await read(3)).toBe("a");
    });

    it("to a version that is not there, or by somebody who saw another one in force, changes nothing", async () => {
      await control.adopt(deploy("a", 10));
      const by = { author: "bob", message: "" };
      expect((await control.rollback({ v: 1, number: 9, expected: 1, ...by })).kind).toBe("unknown-version");
      expect((await control.rollback({ v: 1, number: 1, expected: 7, ...by })).kind).toBe("conflict");
      expect((await inForce())?.sequence).toBe(1);
    });

    it("keeps the contents of the last hundred versions, and of what is in force", async () => {
      await control.adopt(deploy("v1", 10));
      for (let number = 2; number <= 103; number++) {
        await control.apply({ ...write(`v${number}`), ...direct, expected: number - 1 });
      }
      expect(await read(103)).toBe("v103");
      expect(await read(4)).toBe("v4");
      expect(await read(3)).toBeUndefined();
      const by = { author: "bob", message: "" };
      expect((await control.rollback({ v: 1, number: 3, expected: 103, ...by })).kind).toBe("unknown-version");
    });
  });

  describe("a trial", () => {
    beforeEach(async () => {
      await control.adopt(deploy("a", 10));
      await control.apply({ ...write("b"), ...trial, expected: 1 });
    });

    const count = (seq: number, canary: typeof NO_COUNTS, others = counts(100), edgeId = "e1") =>
      control.countTrial({ v: 1, edgeId, seq, number: 2, canary, control: others });

    it("holds for its share, while the config before holds for everybody else", async () => {
      expect(await inForce()).toEqual({ sequence: 2, number: 1, canary: { number: 2, shareRatio: 0.05 } });
    });

    it("that fails is taken back at once, under a new number", async () => {
      const { inForce: after } = await count(1, counts(20, 20));
      expect(after).toEqual({ sequence: 3, number: 3 });
      expect(await read(3)).toBe("a");
      const { versions, trial: left } = await control.history({ v: 1, before: undefined, limit: 1 });
      expect(left).toBeUndefined();
      expect(versions[0]).toMatchObject({ source: "trial-ended", contentOf: 1, author: "weir" });
      expect(versions[0]?.message).toContain("100.0 % of the canary's 20 requests were failed");
    });

    it("counts a report that comes twice once", async () => {
      await count(1, counts(15, 15));
      await count(1, counts(15, 15));
      expect((await inForce())?.canary?.number).toBe(2);
      await count(2, counts(15, 15));
      expect((await inForce())?.canary).toBeUndefined();
    });

    it("that went well goes to everybody at its end", async () => {
      await count(1, counts(50));
      await runInDurableObject(control, (_object, state) => {
        const row = state.storage.sql.exec("SELECT value FROM meta WHERE name = 'trial'").toArray()[0];
        const ended = { ...JSON.parse(String(row?.["value"])), endsAtMs: Date.now() - 1 };
        state.storage.sql.exec("UPDATE meta SET value = ? WHERE name = 'trial'", JSON.stringify(ended));
      });
      await count(2, counts(1));
      expect(await inForce()).toEqual({ sequence: 3, number: 2 });
    });

    it("bars another apply, but not a rollback", async () => {
      expect((await control.apply({ ...write("c"), ...direct, expected: 1 })).kind).toBe("on-trial");
      const outcome = await control.rollback({ v: 1, number: 1, expected: 1, author: "bob", message: "" });
      expect(outcome).toMatchObject({ kind: "done", inForce: { number: 3 } });
      expect((await inForce())?.canary).toBeUndefined();
    });

    it("is ended by hand, either way", async () => {
      const by = { author: "bob", message: "enough" };
      expect(await control.endTrial({ v: 1, promote: true, ...by })).toMatchObject({ inForce: { number: 2 } });
      expect((await control.endTrial({ v: 1, promote: true, ...by })).kind).toBe("no-trial");
    });

    it("refuses counts that cannot be", async () => {
      const report = { v: 1 as const, edgeId: "e1", seq: 1, number: 2, control: counts(1) };
      await runInDurableObject(control, async (object) => {
        await expect(object.countTrial({ ...report, canary: counts(5, 6) })).rejects.toThrow("counts");
        await expect(object.countTrial({ ...report, canary: counts(-1) })).rejects.toThrow("counts");
      });
    });
  });
});
