/**
 * No response is served to a caller who could not have got it from the origin: random sequences through the real pipeline,
 * judged by an oracle that knows only the specifications. WEIR_SEED begins elsewhere; WEIR_DRILL=1 runs 100,000 sequences.
 */
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { ResponseStore } from "../../src/edge/cache/response-store.ts";
import { TenantLessee } from "../../src/edge/lessees/tenant-lessee.ts";
import { Snapshots } from "../../src/edge/snapshots.ts";
import { removed, SAFEGUARDS, without } from "./safeguards.ts";
import { type LeakReport, runLeaks } from "./world.ts";

const SEED = Number(env.TEST_SEED);
const DRILL = env.TEST_DRILL === "1";
const SEQUENCES = DRILL ? 100_000 : 400;
/** Through the runtime's own stores, which are slow. */
const WITH_REAL_STORES = DRILL ? 2_000 : 30;
/** More than enough to find whatever is missing. */
const WITHOUT = 2_000;

/** Those that are methods of what an edge holds. */
function removeMethods(): void {
  if (without("that 401, 403, 404 and 410 take back what is stored")) {
    vi.spyOn(ResponseStore.prototype, "forget").mockResolvedValue();
    vi.spyOn(Snapshots.prototype, "retire").mockReturnValue(undefined);
  }
  if (without("that revoked keys are refused")) vi.spyOn(TenantLessee.prototype, "isRevoked").mockReturnValue(false);
}

function show(name: string, { leaks, ...report }: LeakReport): void {
  console.log(`${name}, seeds ${SEED} on:`, JSON.stringify(report), `${leaks.length} leaks`);
  const [leak] = leaks;
  if (leak !== undefined) console.log(JSON.stringify(leak, undefined, 1));
}

describe("no response reaches a caller who could not have got it from the origin", () => {
  it(`in ${SEQUENCES} random sequences`, async () => {
    const report = await runLeaks({ seed: SEED, sequences: SEQUENCES });
    show("through stores of the test's own", report);
    expect(report.leaks).toEqual([]);
    // Otherwise nothing was tried: answers of each kind, and many made for somebody else.
    for (const served of ["origin", "cache", "stale", "snapshot", "fallback"]) {
      expect(report.served[served] ?? 0).toBeGreaterThan(SEQUENCES / 100);
    }
    expect(report.shared).toBeGreaterThan(SEQUENCES / 4);
  }, 1_800_000);

  it(`in ${WITH_REAL_STORES} through the runtime's own stores`, async () => {
    const report = await runLeaks({
      seed: SEED + 1e6,
      sequences: WITH_REAL_STORES,
      realStores: env,
    });
    show("through the runtime's stores", report);
    expect(report.leaks).toEqual([]);
    expect(report.shared).toBeGreaterThan(WITH_REAL_STORES / 8);
  }, 600_000);
});

describe("a leak is found when a safeguard is missing", () => {
  it.each(SAFEGUARDS)(
    "%s",
    async (safeguard) => {
      removed.safeguard = safeguard;
      try {
        const { leaks, sequences } = await runLeaks({ seed: SEED, sequences: WITHOUT, stopEarly: true, removeMethods });
        console.log(`without "${safeguard}": after ${sequences} sequences, ${leaks[0]?.why ?? "nothing"}`);
        expect(leaks).not.toEqual([]);
      } finally {
        removed.safeguard = undefined;
      }
    },
    120_000,
  );
});
