/**
 * RFC 9213: targeted cache control, with `CDN-Cache-Control`.
 *
 * | requirement | test |
 * |---|---|
 * | 2.1 it is a dictionary of structured fields; one that is none is ignored | `is ignored…` |
 * | 2.2 where it is valid and not empty, Cache-Control and Expires do not count | `goes before…` |
 * | 2.1 members mean what they mean in Cache-Control; unknown ones nothing | `reads as` |
 * | 3.1 CDN-Cache-Control is for us | all |
 */
import { describe, expect, it } from "vitest";
import { targetedCacheControl } from "../../../src/http/structured.ts";
import { type Fields, onError, date, received, stores, use } from "./cache-cases.ts";

/** As the gateway hands it to the policy. */
const targeted = (value: string, more: Fields = {}): Fields => {
  const read = targetedCacheControl(value);
  return read === null ? more : { ...more, "cdn-cache-control": read };
};

describe("2.1: syntax", () => {
  it.each([
    ["max-age=60", "max-age=60"],
    ["max-age=60, no-cache", "max-age=60, no-cache"],
    ["no-store;x=1", "no-store"],
    ["no-store=?0, max-age=60", "max-age=60"],
    ["max-age=60;foo", "max-age=60"],
    ["unknown, max-age=1", "unknown, max-age=1"],
    ["max-age=1, max-age=2", "max-age=2"],
  ])("%s reads as %s", (value, read) => {
    expect(targetedCacheControl(value)).toBe(read);
  });

  it.each([
    "",
    "max-age=",
    "MAX-AGE=60",
    "max-age=60,,no-cache",
    "a b",
    "&",
    "max-age=-5",
    'max-age="60"',
    "max-age=1.5",
  ])("%j is ignored, so Cache-Control counts", (value) => {
    const fields = targeted(value, { "cache-control": "max-age=10" });
    expect(received(fields).lifetimeMs).toBe(10_000);
  });
});

describe("2.2: it goes before Cache-Control and Expires", () => {
  it("for the lifetime", () => {
    expect(received(targeted("max-age=50", { "cache-control": "max-age=5" })).lifetimeMs).toBe(50_000);
    expect(received(targeted("max-age=50", { expires: date(5) })).lifetimeMs).toBe(50_000);
    // Nothing is taken from the other field.
    expect(received(targeted("public", { "cache-control": "max-age=5", expires: date(5) })).lifetimeMs).toBe(0);
  });

  it("for storing", () => {
    expect(stores(targeted("max-age=50", { "cache-control": "no-store" }))).toBe(true);
    expect(stores(targeted("max-age=50", { "cache-control": "private" }))).toBe(true);
    expect(stores(targeted("no-store", { "cache-control": "max-age=50" }))).toBe(false);
    expect(stores(targeted("private", { "cache-control": "public, max-age=50" }))).toBe(false);
  });

  it("for revalidation, and so for serving stale beside a shared lifetime for others", () => {
    expect(use(targeted("no-cache", { "cache-control": "max-age=50" }), 1)).toBe("stale");
    const fields = targeted("max-age=5, stale-if-error=60", { "cache-control": "s-maxage=5, must-revalidate" });
    expect(onError(fields, 30)).toBe(true);
    expect(onError(targeted("max-age=5, must-revalidate, stale-if-error=60"), 30)).toBe(false);
  });

  it("Pragma does not count beside it", () => {
    expect(use(targeted("max-age=50", { pragma: "no-cache" }), 1)).toBe("fresh");
  });
});
