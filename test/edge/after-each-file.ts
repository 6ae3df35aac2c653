/**
 * Files share a workerd, which would otherwise be started for each. What one leaves behind must not reach the next: what
 * its gateways still do behind their answers, what stands in for a global, its objects and what they stored.
 */
import { reset } from "cloudflare:test";
import { afterAll, vi } from "vitest";
import { DeadlineExceeded, withDeadline } from "../../src/platform/coordinators.ts";
import { Gateway } from "./gateway.ts";

/** Some tests have work that never ends. */
const LONGEST_MS = 2_000;

afterAll(async () => {
  vi.useRealTimers();
  await withDeadline(Gateway.allSettled(), LONGEST_MS).catch((error: unknown) => {
    if (!(error instanceof DeadlineExceeded)) throw error;
  });
  vi.unstubAllGlobals();
  await reset();
});
