import { describe, expect, it } from "vitest";
import { problemBody, type Refusal, REFUSALS } from "../../src/http/problem.ts";

describe("a refusal", () => {
  it("has the status that belongs to it", () => {
    const statuses = Object.fromEntries(Object.entries(REFUSALS).map(([refusal, { status }]) => [refusal, status]));
    expect(statuses).toEqual({
      "bad-request": 400,
      "method-not-allowed": 405,
      loop: 508,
      "body-late": 408,
      "body-too-large": 413,
      "no-route": 404,
      unauthenticated: 401,
      "invalid-key": 401,
      "key-revoked": 401,
      suspended: 403,
      "tenant-unreachable": 503,
      "key-secret-missing": 503,
      "invalid-token": 401,
      "token-unverifiable": 503,
      "proxy-secret-missing": 503,
      "out-of-scope": 403,
      denied: 403,
      limited: 429,
      concurrency: 429,
      "coordinator-unreachable": 503,
      "not-cached": 504,
      unavailable: 503,
      maintenance: 503,
    } satisfies Record<Refusal, number>);
  });

  it("does not tell a revoked key from one that never was", () => {
    expect(REFUSALS["key-revoked"]).toEqual(REFUSALS["invalid-key"]);
  });

  it("has a stable type, the reference and the violated policies", () => {
    const details = { requestId: "abc123", detail: "daily is used up", violatedPolicies: ["daily"] };
    expect(problemBody("limited", details)).toEqual({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      title: "The limit is used up",
      status: 429,
      detail: "daily is used up",
      "violated-policies": ["daily"],
      requestId: "abc123",
    });
  });

  it("leaves out what it does not know", () => {
    expect(problemBody("no-route", { requestId: "r" })).toStrictEqual({
      type: "urn:weir:problem:no-route",
      title: "Nothing is routed here",
      status: 404,
      requestId: "r",
    });
  });
});
