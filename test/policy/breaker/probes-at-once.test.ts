/** `npx vitest run --project unit test/policy/breaker/probes-at-once.test.ts`; WEIR_SEED begins elsewhere. */
import { describe, expect, it } from "vitest";
import { runProbes, SAFEGUARDS } from "./probe-world.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? 1);
/** All of them in the drill. */
const SEEDS = process.env["WEIR_DRILL"] === "1" ? 1_000 : 250;

const seeds = Array.from({ length: SEEDS }, (_, index) => SEED + index);

describe.each([1, 2, 3, 4])("of %i allowed", (allowed) => {
  it(`never more probes are at the origin at once, whatever is lost, doubled or restarted (seeds ${SEED} on)`, () => {
    const total = { probes: 0, restarts: 0, closings: 0, full: 0 };
    const broken: number[] = [];
    for (const seed of seeds) {
      const { most, probes, restarts, closings } = runProbes(seed, allowed);
      if (most > allowed) broken.push(seed);
      total.probes += probes;
      total.restarts += restarts;
      total.closings += closings;
      total.full += most === allowed ? 1 : 0;
    }
    console.log(`${allowed} allowed, ${SEEDS} seeds:`, total);
    expect(broken).toEqual([]);
    // All places were taken at some time, and breakers came back: otherwise nothing was tried.
    expect(total.full).toBeGreaterThan(SEEDS / 2);
    expect(total.closings).toBeGreaterThan(SEEDS / 2);
  }, 60_000);
});

describe.each([1, 2, 3, 4])("of %i allowed, without a safeguard", (allowed) => {
  it.each(SAFEGUARDS)(
    "%s: more are at the origin at once",
    (without) => {
      const found = seeds.find((seed) => runProbes(seed, allowed, without).most > allowed);
      console.log(`${allowed} allowed, without "${without}": seed ${found}`);
      expect(found).toBeDefined();
    },
    60_000,
  );
});
