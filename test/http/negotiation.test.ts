import { describe, expect, it } from "vitest";
import { favouriteLanguage, negotiate, negotiateLanguage } from "../../src/http/negotiation.ts";

const FORMS = ["application/problem+json", "application/json", "text/html"];
const CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

describe("what is taken for a browser", () => {
  it.each([CHROME, "text/html", "text/*", "application/json;q=0.5, text/html;q=0.6", "TEXT/HTML"])(
    "is a page for %s",
    (accept) => {
      expect(negotiate(accept, FORMS)).toBe("text/html");
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
    expect(negotiate(accept, FORMS) ?? FORMS[0]).toMatch(/json$/);
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

describe("the language", () => {
  const offers = ["en", "de", "pt-BR", "zh-Hant"];

  it.each([
    [null, "en"],
    ["", "en"],
    ["de", "de"],
    ["DE-at", "de"],
    ["de-CH-1996, fr;q=0.9", "de"],
    ["fr, de;q=0.5, en;q=0.4", "de"],
    ["fr;q=0.9, en;q=0.4, de;q=0.5", "de"],
    ["pt", "pt-BR"],
    ["pt-PT", undefined],
    ["zh-Hant-TW", "zh-Hant"],
    ["zh-TW", undefined],
    ["fr, *", "en"],
    ["fr, *;q=0.1", "en"],
    ["en;q=0, *", "de"],
    ["de;q=0, en;q=0", undefined],
    ["*;q=0", undefined],
    ["fr", undefined],
    ["d", undefined],
    ["-", undefined],
    ["de;q=nonsense, en;q=0.1", "en"],
  ])("of %j is %s", (acceptLanguage, expected) => {
    expect(negotiateLanguage(acceptLanguage, offers)).toBe(expected);
  });

  it("of thousands of ranges is found in the first 64", () => {
    const ranges = Array.from({ length: 20_000 }, (_, index) => `x${index}`);
    expect(negotiateLanguage([...ranges, "de"].join(","), offers)).toBeUndefined();
    expect(negotiateLanguage(["de;q=0.1", ...ranges].join(","), offers)).toBe("de");
  });
});

describe("the favourite language", () => {
  it.each([
    ["de", "de"],
    ["DE-at, de;q=0.9, en;q=0.8", "de-at"],
    ["fr;q=0.5, de;q=1.0", "de"],
    ["en;q=0.2", "en"],
    ["en, *;q=0.1", "en"],
    ["en, de", undefined],
    ["fr;q=0.1, en;q=0.5, de;q=0.5", undefined],
    ["*, de;q=0.5", undefined],
    ["de;q=0", undefined],
    ["de;q=x", undefined],
    ["", undefined],
    [null, undefined],
  ])("of %j is %j", (acceptLanguage, expected) => {
    expect(favouriteLanguage(acceptLanguage)).toBe(expected);
  });
});
