/** Each parser and normaliser of the data plane, what to feed it with, and what must hold whatever comes out. */
import { expect } from "vitest";
import { parseAccessEntry, parseAddress } from "../../src/config/access-entry.ts";
import { loadConfig } from "../../src/config/load.ts";
import { durationMs, parseRate } from "../../src/config/units.ts";
import { addressPartition } from "../../src/edge/stages/identify.ts";
import { canonicalUrl, MAX_URL_LENGTH } from "../../src/http/canonical-url.ts";
import { cleanRequestHeaders, cleanResponseHeaders, hasLoop, isDefined, keepDefined } from "../../src/http/headers.ts";
import { negotiate, negotiateLanguage } from "../../src/http/negotiation.ts";
import { targetedCacheControl } from "../../src/http/structured.ts";
import { acceptTraceparent } from "../../src/http/traceparent.ts";
import { importKeySecret, mintApiKey, verifyApiKey } from "../../src/platform/api-key.ts";
import { parseCacheControl } from "../../src/policy/cache/cache-control.ts";
import { isNotModified, judgeRange } from "../../src/policy/cache/conditions.ts";
import { freshnessOf } from "../../src/policy/cache/freshness.ts";
import { parseHttpDate } from "../../src/policy/cache/http-date.ts";
import { mayStore, varyFields, variantKey } from "../../src/policy/cache/storing.ts";
import { lateCostMicro } from "../../src/policy/limits/late-cost.ts";
import { asFieldValue, damaged, type Random, textOf } from "./inputs.ts";

export interface Target {
  readonly name: string;
  /** What is timed. */
  readonly make: (random: Random) => string;
  /** Throws when something that must hold does not. A promise where the parser makes one. */
  readonly parse: (text: string) => unknown;
  readonly check?: (parsed: never, text: string) => void;
  /** Repeated to 64 KiB, these are what a quadratic parser would be slowest with. */
  readonly adversarial: readonly string[];
}

const NOW = Date.UTC(2026, 10, 23, 12);
const LONGEST_FIELD = 16_384;
/** Types what `check` gets by what `parse` gives. */
export const target = <Parsed>(
  told: Omit<Target, "parse" | "check"> & {
    readonly parse: (text: string) => Parsed | Promise<Parsed>;
    readonly check?: (parsed: Parsed, text: string) => void;
  },
): Target => told;

const field = (pieces: readonly string[]) => (random: Random) => asFieldValue(textOf(random, pieces, LONGEST_FIELD));

const DIRECTIVES = [
  "max-age",
  "s-maxage",
  "no-store",
  "no-cache",
  "private",
  "public",
  "must-revalidate",
  "max-stale",
  "Max-Age=5",
  'private="a,b"',
  "stale-if-error=10",
  "?0",
  "?1",
  ":YQ==:",
  "(a b)",
];
const DATES = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];

const url = target({
  name: "the canonical URL",
  make: (random) =>
    (random() < 0.8 ? "https://x.example/" : "") +
    textOf(
      random,
      [
        "/",
        "//",
        "..",
        ".",
        "%2e",
        "%2F",
        "%5c",
        "%00",
        "%zz",
        "\\",
        "?",
        "#",
        "@",
        "é",
        "\uD800",
        "://",
        "[::1]",
        "%41",
      ],
      20_000,
    ),
  parse: canonicalUrl,
  check: (result) => {
    if (!result.ok) return;
    const { site, path, query } = result.url;
    expect(canonicalUrl(site + path + query)).toEqual(result);
    if (!/^\/[\x21-\x7e]*$/.test(path) || /\/\/|\/\.{1,2}(?:\/|$)|\\|[?#]|%(?![0-9A-F]{2})/.test(path))
      throw new Error(path);
    expect(path.length + query.length).toBeLessThanOrEqual(MAX_URL_LENGTH);
  },
  adversarial: ["/..", "%2e%2e/", "/", "\\", "a/../", "%", "?", "é"].map((piece) => `https://x.example/${piece}`),
});

const NAMES = [
  "Connection",
  "Via",
  "CDN-Loop",
  "X-Forwarded-For",
  "Weir-A",
  "Cookie",
  "Authorization",
  "Accept",
  "X-A",
  "Te",
  "Traceparent",
  "Cf-Ray",
];

/** One line a field. */
function headersOf(text: string): Headers {
  const headers = new Headers();
  for (const [index, line] of text.split("\n", 40).entries())
    headers.append(NAMES[index % NAMES.length] ?? "", asFieldValue(line));
  return headers;
}

const headers = target({
  name: "header hygiene",
  make: (random) =>
    textOf(random, [...NAMES, "\n", "close", "keep-alive", "1.1 weir", "weir", ", ", "(", "\n"], LONGEST_FIELD),
  parse: (text) => {
    const inbound = headersOf(text);
    const cleaned = cleanRequestHeaders(inbound, { clientIp: "192.0.2.1", protocol: "https", host: "x.example" });
    cleanResponseHeaders(inbound);
    return { cleaned, looped: hasLoop(cleaned), traced: acceptTraceparent(text) };
  },
  check: ({ cleaned, looped }) => {
    expect(looped).toBe(true);
    for (const name of ["connection", "te", "weir-a", "cf-ray", "transfer-encoding"])
      expect(cleaned.has(name)).toBe(false);
    expect(cleaned.get("x-forwarded-for")).toBe("192.0.2.1");
    keepDefined(cleaned, []);
    for (const name of cleaned.keys()) expect(isDefined(name)).toBe(true);
  },
  adversarial: ["a,", "weir;", "1.1 weir,", "(", " ", "x-forwarded-for,"],
});

const SECRET = "fuzz-key-secret-0123456789abcdefghij";
const secret = await importKeySecret(SECRET);
const KEY = await mintApiKey(SECRET, { tenantId: "acme", keyId: "0123456789abcdef" });

const keys = target({
  name: "API keys",
  make: (random) => damaged(random, KEY, ["weir_", "_", "=", "-", "A", "0"]),
  parse: (text) => verifyApiKey(secret, text),
  check: (claims, text) => {
    // One text for each key, and no other.
    if (claims !== undefined) expect(text).toBe(KEY);
  },
  adversarial: ["weir_", "_", "A", "="],
});

const cacheControl = target({
  name: "Cache-Control",
  make: field(DIRECTIVES),
  parse: parseCacheControl,
  check: (directives, text) => {
    for (const value of Object.values(directives)) {
      if (typeof value === "number" && !(value >= 0)) throw new Error(`${value} seconds`);
    }
    if (!text.includes('"')) {
      expect(parseCacheControl(text.toUpperCase())).toEqual(directives);
      expect(parseCacheControl(`${text}, no-store`).noStore).toBe(true);
    }
  },
  adversarial: ["max-age=1,", '"', '\\"', ",", "=", 'a="', 'private="a,"', " "],
});

const targeted = target({
  name: "structured fields (CDN-Cache-Control)",
  make: field([...DIRECTIVES, "a=1;b", "a=(1 2)", "max-age=60.5", "max-age=-1"]),
  parse: targetedCacheControl,
  check: (value) => {
    if (value !== null) parseCacheControl(value);
  },
  adversarial: ["a,", "a=1,", "a;", "a=(", '"', "a=(1 2),", " ", ":", "a=?1, "],
});

const vary = target({
  name: "Vary",
  make: field(["Accept", "accept-language", "*", "Cookie", "X-A", ", "]),
  parse: varyFields,
  check: (fields, text) => {
    if (fields === undefined) return;
    expect(fields).toEqual([...new Set(fields)].toSorted());
    expect(fields.length).toBeLessThanOrEqual(8);
    expect(varyFields(text.split(",").toReversed().join())).toEqual(fields);
    const keyOf = (value: string | null): string => variantKey(fields, () => value);
    if (fields.length > 0) expect(new Set([keyOf(null), keyOf(""), keyOf("a")]).size).toBe(3);
  },
  adversarial: ["a,", ",", "*", " ", "a ,"],
});

const negotiationValues = target({
  name: "values of what an answer varies by",
  make: field(["en", "de;q=0.5", "gzip", "br", '"', ", ", "EN"]),
  parse: (text) => variantKey(["accept-language", "x-a"], () => text),
  check: (key, text) => {
    expect(variantKey(["accept-language", "x-a"], () => ` ${text} `)).toBe(key);
  },
  adversarial: ["a,", " ", ",", '"', "a ;"],
});

const dates = target({
  name: "HTTP dates",
  make: (random) =>
    damaged(random, DATES[Math.floor(random() * 3)] ?? "", ["0", "9", " ", ":", "GMT", "Feb", "-", ","]),
  parse: (text) => parseHttpDate(text, NOW),
  check: (ms) => {
    if (ms === undefined) return;
    if (!Number.isSafeInteger(ms)) throw new Error(String(ms));
    if (ms >= 0 && ms < Date.UTC(9999, 0)) expect(parseHttpDate(new Date(ms).toUTCString(), NOW)).toBe(ms);
  },
  adversarial: [" ", "0", "Sun, ", ":", "-"],
});

const ranges = target({
  name: "ranges",
  make: field(["bytes=", "Bytes=", "0", "5", "-", "-5", "99", ","]),
  parse: (text) =>
    judgeRange(
      (name) => (name === "range" ? text : null),
      () => null,
      100,
    ),
  check: (verdict) => {
    if (verdict.kind !== "part") return;
    const { from, to } = verdict;
    if (!(from >= 0 && from <= to && to < 100)) throw new Error(`${from}-${to}`);
  },
  adversarial: ["bytes=", "bytes=0-", "0", "-", " "],
});

const conditions = target({
  name: "conditions",
  make: field(['"a"', 'W/"a"', "*", ", ", ...DATES]),
  parse: (text) =>
    isNotModified(
      (name) => (name.startsWith("if-") ? text : null),
      () => '"a"',
      NOW,
    ),
  check: (good, text) => {
    if (text.split(",").some((tag) => tag.trim() === '"a"')) expect(good).toBe(true);
  },
  adversarial: ['"a",', "W/", ",", " "],
});

const lifetimes = target({
  name: "lifetimes and storing",
  make: field([...DIRECTIVES, ...DATES, "600"]),
  parse: (text) => {
    const header = (name: string): string | null =>
      ["vary", "set-cookie", "cdn-cache-control"].includes(name) ? null : text;
    const context = {
      method: "GET",
      authorized: true,
      withCookie: true,
      requestNoStore: false,
      status: 200,
      complete: true,
    };
    mayStore(context, header, { scope: "shared" });
    return freshnessOf(200, header, { scope: "shared" }, NOW, NOW);
  },
  check: ({ lifetimeMs, bornAtMs }) => {
    if (!(lifetimeMs >= 0) || !Number.isFinite(lifetimeMs) || !(bornAtMs <= NOW))
      throw new Error(`${lifetimeMs} ${bornAtMs}`);
  },
  adversarial: ["max-age=1,", '"', ",", "9"],
});

const OFFERS = ["application/problem+json", "application/json", "text/html", "text/plain"];
const LANGUAGES = ["en", "de", "pt-BR", "zh-Hant"];
const accept = target({
  name: "Accept and Accept-Language",
  make: field([
    "text/html",
    "*/*",
    "application/*",
    ";q=0.5",
    ";q=0",
    "de-CH",
    "pt",
    "zh-Hant-TW",
    "*",
    ";q=NaN",
    ", ",
  ]),
  parse: (text) => [negotiate(text, OFFERS), negotiateLanguage(text, LANGUAGES)] as const,
  check: ([type, language]) => {
    if (type !== undefined) expect(OFFERS).toContain(type);
    if (language !== undefined) expect(LANGUAGES).toContain(language);
  },
  adversarial: ["a,", ";q=1", "a-", "*/*,", "q=", " ", "a;q=0.1,"],
});

const addresses = target({
  name: "addresses and networks",
  make: (random) =>
    damaged(
      random,
      ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "key:0123456789abcdef"][
        Math.floor(random() * 6)
      ] ?? "",
      ["0x", "::", "/", ".", "255", "%eth0", "f"],
    ),
  parse: (text) => [parseAddress(text), parseAccessEntry(text), addressPartition(text)] as const,
  check: ([address, entry, { principal }]) => {
    if (address.kind === "v4" && !(address.value >= 0 && address.value < 2 ** 32))
      throw new Error(String(address.value));
    if (entry.kind !== "bad") expect(parseAccessEntry(entry.text)).toEqual(entry);
    expect(principal).toMatch(/^a\d{1,4}$/);
  },
  adversarial: [":", "::", "0", ".", "1.", "f:", "%", "0x"],
});

const units = target({
  name: "durations, rates and costs",
  make: (random) =>
    damaged(random, ["500ms", "3s", "200/s", "0.001/d", "12.5", "9999999/h"][Math.floor(random() * 6)] ?? "", [
      "0",
      "9",
      "-",
      "e",
      ".",
      "/s",
      "ms",
    ]),
  parse: (text) => [durationMs(text), parseRate(text), lateCostMicro(text, 5, 1_000)] as const,
  check: ([duration, rate, cost]) => {
    if (!Number.isNaN(duration) && !(Number.isSafeInteger(duration) && duration >= 0))
      throw new Error(String(duration));
    if (rate !== undefined && !(rate.numerator > 0 && rate.denominator > 0 && Number.isSafeInteger(rate.numerator)))
      throw new Error(String(rate.numerator));
    if (cost !== undefined && !(cost >= 0 && cost <= 1_000)) throw new Error(String(cost));
  },
  adversarial: ["9", "0.", "1/", "-", " "],
});

const CONFIG = `{ // comment
  "version": 1, "origins": { "app": { "url": "http://127.0.0.1:1" } }, "identity": [{ "type": "anonymous", "plan": "open" }],
  "plans": { "open": { "limits": { "r": { "rate": "10/s", "burst": 10, } } } },
  "routes": [{ "id": "all", "match": { "path": "/*" }, "origin": "app", "cache": { "ttl": "1m" } }] }`;
const config = target({
  name: "config text (JSON with comments)",
  make: (random) =>
    damaged(random, CONFIG, [
      "{",
      "}",
      "[",
      "]",
      '"',
      ",",
      "//",
      "/*",
      "*/",
      "1e999",
      "null",
      '"__proto__": 1,',
      "\u0000",
      "\uFEFF",
    ]),
  parse: (text) => loadConfig(text, { configVersion: 1, readPage: async () => undefined }),
  check: (result) => {
    if (result.ok) return;
    expect(result.problems.length).toBeGreaterThan(0);
    for (const { line, column, message } of result.problems) {
      if (!(line >= 1 && column >= 1) || message === "") throw new Error(`${line}:${column} ${message}`);
    }
  },
  adversarial: ["[", "{", '{"a":', "//\n", '"a",', "/*", "]", '"\\', "1,"],
});

export const TARGETS: readonly Target[] = [
  url,
  headers,
  keys,
  cacheControl,
  targeted,
  vary,
  negotiationValues,
  dates,
  ranges,
  conditions,
  lifetimes,
  accept,
  addresses,
  units,
  config,
];
