import type { Decision } from "../../src/policy/tail/sample.ts";

/** One request that was answered. */
export const decision = (more: Partial<Decision> = {}): Decision => ({
  atMs: 0,
  requestId: "1",
  tenant: "acme",
  route: "all",
  method: "GET",
  path: "/",
  status: 200,
  outcome: "origin",
  served: "origin",
  refusal: null,
  decidedBy: "lease",
  violated: [],
  durationMs: 1,
  pop: "test",
  ...more,
});
