/** Coordinators for an isolate that runs in Node, where they are not what is measured. */
import { newBreaker } from "../src/policy/breaker/state-machine.ts";
import { BREAKER_DEFAULTS } from "../src/policy/breaker/types.ts";
import { viewOf } from "../src/policy/breaker/view.ts";
import { answerLease, newLeaseBook } from "../src/policy/limits/lease-replies.ts";
import type { MetricsFlush } from "../src/protocol/metrics.ts";
import type { LeaseRequest } from "../src/protocol/tenant.ts";

const book = newLeaseBook();

/** Answers at once, and keeps what limits need alone. */
export async function call(_kind: string, _name: string, method: string, told: unknown): Promise<unknown> {
  switch (method) {
    case "lease": {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only caller of "lease" is the lessee under test
      const request = told as LeaseRequest;
      const answer = answerLease(book, request, Date.now());
      if (answer.kind !== "decided") throw new Error(answer.kind);
      return { kind: "granted", seq: request.seq, ...answer.decision, record: undefined };
    }
    case "report":
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a report tells its number
      return { seq: (told as { seq: number }).seq, view: viewOf(newBreaker(BREAKER_DEFAULTS, Date.now()), "bench", 0) };
    case "flush": {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only caller of "flush" is the edge under test
      const received = (told as MetricsFlush).batches.at(-1)?.seq ?? 0;
      return { received, durable: received, flushAfterMs: 1_000, wantsSettings: false };
    }
    case "snapshot":
      return { write: false, askAgainMs: 3_600_000 };
    default:
      return { variants: [], stands: false };
  }
}
