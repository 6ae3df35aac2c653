import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Worlds are slow: only what the other tests let through gets that far. */
class WorldsLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isWorld = ({ moduleId }: TestSpecification): number => Number(/(escrow|invariants)\.test/.test(moduleId));
    return files.toSorted((a, b) => isWorld(a) - isWorld(b));
  }
}

/**
 * The tests that `npm run mutate` judges, about two thousand times over. The seed is fixed, or the same mutant would
 * live in one run and die in the next; a tenth of the usual runs of each property keeps it at some minutes.
 */
export default defineConfig({
  test: {
    include: ["test/policy/limits/**/*.test.ts"],
    environment: "node",
    env: { FC_SEED: "1", FC_RUNS_RATIO: "0.1" },
    sequence: { sequencer: WorldsLast },
  },
});
