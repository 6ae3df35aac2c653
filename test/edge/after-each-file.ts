/**
 * Files share a workerd, which would otherwise be started for each. What one leaves behind must not reach the next: what
 * its gateways still do behind their answers, what stands in for a global, its objects and what they stored.
 */
import { reset } from "cloudflare:test";
import { afterAll, vi } from "vitest";
import { Gateway } from "./gateway.ts";

/** Some tests have work that never ends. */
const LONGEST_MS = 2_000;

afterAll(async () => {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, LONGEST_MS);
  });
  await Promise.race([Gateway.allSettled(), late]);
  if (timer !== null) clearTimeout(timer);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  await reset();
});
