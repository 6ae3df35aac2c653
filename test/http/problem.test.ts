import { describe, expect, it } from "vitest";
import { negotiate, prefersHtml, problemResponse, type Refusal, REFUSALS } from "../../src/http/problem.ts";

const CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

describe("the form of a refusal", () => {
  it.each([CHROME, "text/html", "text/*", "application/json;q=0.5, text/html;q=0.6", "TEXT/HTML"])(
    "is a page for %s",
    (accept) => {
      expect(prefersHtml(accept)).toBe(true);
    },
  );

  it.each([
    null,
    "",
    "*/*",
    "application/json",
    "application/json, text/plain, */*",
    "application/problem+json, text/html;q=0.9",
    "text/html;q=0, */*",
    "text/html;q=0.4, application/json;q=0.5",
    "image/png",
    "text/html;q=nonsense",
  ])("is JSON for %j", (accept) => {
    expect(prefersHtml(accept)).toBe(false);
  });
});

describe("negotiation", () => {
  const offers = ["text/html", "application/json", "text/plain"];

  it.each([
    [null, "text/html"],
    ["", "text/html"],
    ["*/*", "text/html"],
    ["application/json", "application/json"],
    ["text/plain, application/json", "application/json"],
    ["text/html;q=0.1, text/plain;q=0.2", "text/plain"],
    ["text/*;q=0.5, text/plain;q=0.9", "text/plain"],
    ["text/html;q=0, text/*;q=0.5, */*;q=0.1", "text/plain"],
    ["*/*;q=0.1, text/html;q=0.05", "application/json"],
    ["text/html ; Q=0.2 , text/plain ; q=0.3", "text/plain"],
    ["application/json;q=7, text/html;q=-1", "application/json"],
    ["image/png", undefined],
    ["*/*;q=0", undefined],
  ])("of %j takes %s", (accept, expected) => {
    expect(negotiate(accept, offers)).toBe(expected);
  });
});

describe("a refusal", () => {
  it("has the status that belongs to it", () => {
    const statuses = Object.fromEntries(Object.entries(REFUSALS).map(([refusal, { status }]) => [refusal, status]));
    expect(statuses).toEqual({
      "bad-request": 400,
      "method-not-allowed": 405,
      loop: 508,
      "no-route": 404,
      unauthenticated: 401,
      "invalid-key": 401,
      "key-revoked": 401,
      "key-secret-missing": 503,
      denied: 403,
      limited: 429,
      concurrency: 429,
      "coordinator-unreachable": 503,
      "not-cached": 504,
      unavailable: 503,
    } satisfies Record<Refusal, number>);
  });

  it("does not tell a revoked key from one that never was", () => {
    expect(REFUSALS["key-revoked"]).toEqual(REFUSALS["invalid-key"]);
  });

  it("is problem+json with a stable type, the reference and the violated policies", async () => {
    const details = { requestId: "abc123", detail: "daily is used up", violatedPolicies: ["daily"] };
    const response = problemResponse("limited", "*/*", details);
    expect(response.status).toBe(429);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      title: "The limit is used up",
      status: 429,
      detail: "daily is used up",
      "violated-policies": ["daily"],
      requestId: "abc123",
    });
  });

  it("leaves out what it does not know", async () => {
    expect(await problemResponse("no-route", null, { requestId: "r" }).json()).toStrictEqual({
      type: "urn:weir:problem:no-route",
      title: "Nothing is routed here",
      status: 404,
      requestId: "r",
    });
  });

  it("is a page that may load nothing for a browser", async () => {
    const response = problemResponse("unavailable", CHROME, { requestId: "abc123" });
    expect(response.status).toBe(503);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none';/);
    const page = await response.text();
    expect(page).toContain("<title>503 The service is not available</title>");
    expect(page).toContain("reference abc123");
    expect(page).not.toMatch(/<script|https?:\/\//);
  });
});
