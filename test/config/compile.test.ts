import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileTables } from "../../src/config/compile.ts";
import type { Config, LimitConfig, RouteConfig } from "../../src/config/model.ts";
import { normalise } from "../../src/config/normalise.ts";
import { type ConfigFile, configSchema } from "../../src/config/schema.ts";
import type { Tables } from "../../src/config/tables.ts";
import type { ReadPages } from "../../src/config/pages/files.ts";

const NO_PAGES: ReadPages = { languages: ["en"], templates: new Map(), findings: [], forms: () => ({}) };

type RouteMatch = Pick<RouteConfig, "path" | "methods" | "host">;

function tablesOf(matches: readonly RouteMatch[], change: Partial<ConfigFile> = {}): Tables {
  const file = configSchema.parse({
    version: 1,
    origins: {
      shop: { url: "https://shop.example:8443/api/", failover: "spare" },
      spare: { url: "https://spare.example" },
    },
    identity: [],
    plans: { free: { limits: { on: { rate: "1/s" }, off: { rate: "1/s", mode: "off" } } } },
    tenants: { acme: { plan: "free" } },
    routes: matches.map((match, index) => ({ id: `r${index}`, match, origin: "shop" })),
    ...change,
  });
  const config: Config = { configVersion: 3, hash: "", ...normalise(file, NO_PAGES) };
  return compileTables(config);
}

/** What the documentation of `match` says, without an index and without care for speed. */
function naiveMatch({ path: pattern, methods, host }: RouteMatch, method: string, at: string, path: string): boolean {
  if (methods !== undefined && !methods.includes(method)) return false;
  if (host?.startsWith("*.") === true ? !at.endsWith(host.slice(1)) : host !== undefined && host !== at) return false;
  const wanted = pattern.split("/");
  const actual = path.split("/");
  const open = wanted.at(-1) === "*";
  if (open) wanted.pop();
  if (open ? actual.length <= wanted.length : actual.length !== wanted.length) return false;
  return wanted.every((part, index) => (part.startsWith(":") ? actual[index] !== "" : part === actual[index]));
}

const literal = fc.constantFrom("a", "b", "ab", "a;v=1");
const method = fc.constantFrom("GET", "POST", "DELETE");
const pattern = fc
  .tuple(fc.array(fc.oneof(literal, fc.constantFrom(":id", ":x")), { maxLength: 3 }), fc.constantFrom("", "/", "/*"))
  .map(([segments, end]) => `/${segments.join("/")}${segments.length === 0 ? end.slice(1) : end}`);
const match: fc.Arbitrary<RouteMatch> = fc.record(
  {
    path: pattern,
    methods: fc.uniqueArray(method, { minLength: 1 }),
    host: fc.constantFrom("x.example", "*.example", "*.x.example"),
  },
  { requiredKeys: ["path"] },
);
const requestPath = fc
  .tuple(fc.array(fc.oneof(literal, fc.constant("c")), { maxLength: 4 }), fc.boolean())
  .map(([segments, slash]) => `/${segments.join("/")}${slash && segments.length > 0 ? "/" : ""}`);
const requestHost = fc.constantFrom("x.example", "y.example", "a.x.example", "example");

describe("route matching", () => {
  it("takes the same route as a naive matcher that tries all in order", () => {
    let matched = 0;
    const routes = fc.array(match, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(routes, method, requestHost, requestPath, (matches, verb, host, path) => {
        const expected = matches.findIndex((candidate) => naiveMatch(candidate, verb, host, path));
        if (expected !== -1) matched++;
        expect(tablesOf(matches).matchRoute(verb, host, path)?.id).toBe(expected === -1 ? undefined : `r${expected}`);
      }),
      { numRuns: 1_000 },
    );
    expect(matched).toBeGreaterThan(50);
  });

  it.each([
    ["/a", "/a", true],
    ["/a", "/a/", false],
    ["/a", "/ab", false],
    ["/a/", "/a/", true],
    ["/", "/", true],
    ["/", "/a", false],
    ["/*", "/", true],
    ["/*", "/a/b/c", true],
    ["/a/*", "/a", false],
    ["/a/*", "/a/", true],
    ["/a/*", "/a/b/c", true],
    ["/:id", "/", false],
    ["/:id", "/x", true],
    ["/:id", "/x/y", false],
    ["/a/:id/c", "/a/b/c", true],
    ["/a/:id/c", "/a//c", false],
    ["/a/:id/*", "/a/b", false],
    ["/A", "/a", false],
  ])("of %s says about %s: %s", (path, requested, expected) => {
    expect(tablesOf([{ path }]).matchRoute("GET", "x.example", requested) !== undefined).toBe(expected);
  });

  it("takes the first of several routes, also when a later one is more literal", () => {
    const tables = tablesOf([{ path: "/:any/b" }, { path: "/a/b" }, { path: "/*" }]);
    expect(tables.matchRoute("GET", "x.example", "/a/b")?.id).toBe("r0");
    expect(tables.matchRoute("GET", "x.example", "/a/c")?.id).toBe("r2");
  });

  it("goes on to the next route when the method is another", () => {
    const tables = tablesOf([
      { path: "/a", methods: ["GET"] },
      { path: "/a", methods: ["POST"] },
    ]);
    expect(tables.matchRoute("POST", "x.example", "/a")?.id).toBe("r1");
    expect(tables.matchRoute("PUT", "x.example", "/a")).toBeUndefined();
  });

  it("takes a wildcard host for its subdomains only", () => {
    const tables = tablesOf([{ path: "/*", host: "*.example.com" }]);
    const matches = (host: string): boolean => tables.matchRoute("GET", host, "/") !== undefined;
    expect(["a.example.com", "a.b.example.com"].map(matches)).toEqual([true, true]);
    expect(["example.com", "badexample.com", "example.com.evil"].map(matches)).toEqual([false, false, false]);
  });
});

describe("allowed methods", () => {
  const tables = tablesOf([
    { path: "/a", methods: ["GET", "HEAD"] },
    { path: "/:id", methods: ["POST"] },
    { path: "/a", methods: ["DELETE"], host: "other.example" },
  ]);

  it("are those of all routes that match the place", () => {
    expect(tables.allowedMethods("x.example", "/a")).toEqual(["GET", "HEAD", "POST"]);
    expect(tables.allowedMethods("other.example", "/a")).toEqual(["GET", "HEAD", "POST", "DELETE"]);
    expect(tables.allowedMethods("x.example", "/b")).toEqual(["POST"]);
  });

  it("are none where nothing is routed", () => {
    expect(tables.allowedMethods("x.example", "/a/b")).toEqual([]);
  });
});

describe("compiled entries", () => {
  const tables = tablesOf([{ path: "/*" }]);
  const names = (limits: readonly LimitConfig[] | undefined) => limits?.map((limit) => [limit.name, limit.partition]);

  it("of tenants leave out limits that are off", () => {
    expect(names(tables.tenant("acme")?.limits)).toEqual([["on", "tenant"]]);
    expect(tables.tenant("nobody")).toBeUndefined();
  });

  it("of anonymous callers count every address by itself", () => {
    expect(tables.anonymous("free")).toMatchObject({ id: "anonymous", anonymous: true });
    expect(names(tables.anonymous("free")?.limits)).toEqual([["on", "principal"]]);
  });

  it("of origins are split into base and path prefix", () => {
    expect(tables.origin("shop")).toMatchObject({ base: "https://shop.example:8443", pathPrefix: "/api" });
    expect(tables.origin("spare")).toMatchObject({ base: "https://spare.example", pathPrefix: "" });
  });

  it("of routes know their origin, its failover and its deadline", () => {
    const route = tables.matchRoute("GET", "x.example", "/");
    expect([route?.origin.id, route?.failover?.id, route?.deadlineMs]).toEqual(["shop", "spare", 10_000]);
  });
});
