/**
 * Poisoning of the store: an error, a redirect or half an answer takes the place of a good one. Safe: failures and parts
 * never do; a redirect is stored only where HTTP allows it or the origin says so; what is stored outlives a failing origin.
 */
import { describe, expect, it } from "vitest";
import { arrivals, get, seenIn, unused } from "./support/attack.ts";

describe("a good answer that has become stale survives", () => {
  it.each([
    ["a 500 with a lifetime", "status=500&cc=max-age%3D3600"],
    ["a 502", "status=502"],
    ["a 503 for everybody", "status=503&cc=public%2C+max-age%3D3600"],
    ["half a body", "cut&cc=max-age%3D3600"],
  ])("%s", async (_what, bad) => {
    // The query is in the key, so the origin is told by Cookie, which nothing here varies by, what to do.
    const path = unused("poisoned");
    const good = await get(`${path}?cc=max-age%3D0%2C+public`);
    expect(good.status).toBe(200);
    const failing = await get(`${path}?${bad}`);
    expect(failing.status).toBeGreaterThanOrEqual(500);
    const after = await get(`${path}?cc=max-age%3D0%2C+public`);
    expect(after.status).toBe(200);
    expect(seenIn(after).url).toContain("public");
  });
});

describe("is not stored", () => {
  it.each([
    ["a 500", "status=500"],
    ["a 503 with a default lifetime", "status=503"],
    ["a 302 that says nothing", "status=302&location=https%3A%2F%2Fevil.example%2F"],
    ["a 307 that says nothing", "status=307&location=https%3A%2F%2Fevil.example%2F"],
    ["a 400", "status=400"],
    ["a 431", "status=431"],
    ["half a body", "cut"],
  ])("%s", async (_what, query) => {
    const url = `${unused("poisoned")}?${query}`;
    await get(url);
    await get(url);
    expect(await arrivals(url)).toHaveLength(2);
  });
});

it("a failure with a lifetime of an hour is kept for seconds", async () => {
  const url = `${unused("poisoned")}?status=503&cc=public%2C+max-age%3D3600`;
  await get(url);
  const kept = await get(url);
  expect(kept.status).toBe(503);
  const [, ttl = "0"] = /ttl=(\d+)/.exec(String(kept.headers["cache-status"])) ?? [];
  expect(Number(ttl)).toBeLessThanOrEqual(10);
});

it("an oversized or invalid field of one client makes no error page for all", async () => {
  const url = `${unused("poisoned")}?cc=max-age%3D60`;
  for (const headers of [{ range: "bytes=9999999-" }, { "if-match": '"nothing"' }, { accept: "x".repeat(9_000) }]) {
    await get(url, headers);
  }
  expect((await get(url)).status).toBe(200);
});
