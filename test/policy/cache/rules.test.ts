/** No response reaches a caller the origin would not have given it to. The rules one by one: `test/conformance/policy`. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mayStore, primaryKey, varyFields, variantKey } from "../../../src/policy/cache/storing.ts";

const reader =
  (headers: Readonly<Record<string, string>>) =>
  (name: string): string | null =>
    headers[name] ?? null;

describe("no response reaches a caller the origin would not have given it to", () => {
  const field = fc.constantFrom("x-user", "accept-language");
  const caller = fc.record({
    tenant: fc.constantFrom("a", "b"),
    authorization: fc.constantFrom("", "u1", "u2"),
    "x-user": fc.constantFrom("", "u1", "u2"),
    "accept-language": fc.constantFrom("", "de", "en"),
  });
  const response = fc.record({
    control: fc.constantFrom("", "private", "no-store", "max-age=60", "public, max-age=60", "s-maxage=60", "no-cache"),
    vary: fc.option(field, { nil: undefined }),
    cookie: fc.boolean(),
    status: fc.constantFrom(200, 206, 404, 500),
  });

  it.each(["shared", "tenant"] as const)("scope %s", (scope) => {
    const policy = { scope, freshForMs: 60_000, staleIfErrorMs: 60_000 } as const;
    fc.assert(
      fc.property(fc.array(fc.tuple(caller, response), { minLength: 2, maxLength: 30 }), (exchanges) => {
        const store = new Map<
          string,
          { fields: readonly string[]; variants: Map<string, { by: (typeof exchanges)[0] }> }
        >();
        for (const [index, exchange] of exchanges.entries()) {
          const [who, what] = exchange;
          const request = reader(who);
          const key = primaryKey("o", "h", "/p", "", scope === "tenant" ? who.tenant : "");
          const url = store.get(key);
          const hit = url?.variants.get(variantKey(url.fields, request));
          if (hit !== undefined) {
            const [first, said] = hit.by;
            expect(said.control).not.toMatch(scope === "shared" ? /private|no-store/ : /no-store/);
            expect(said.cookie).toBe(false);
            expect(said.status).not.toBe(206);
            if (scope === "tenant") expect(first.tenant).toBe(who.tenant);
            if (said.vary !== undefined) expect(first[said.vary]).toBe(who[said.vary]);
            if (first.authorization !== "") expect(said.control).toMatch(/public|s-maxage/);
          }
          const headers: Record<string, string> = { "cache-control": what.control };
          if (what.vary !== undefined) headers["vary"] = what.vary;
          if (what.cookie) headers["set-cookie"] = `n=${index}`;
          const may = mayStore(
            {
              method: "GET",
              authorized: who.authorization !== "",
              withCookie: false,
              requestNoStore: false,
              status: what.status,
              complete: true,
            },
            reader(headers),
            policy,
          );
          if (!may) continue;
          const fields = varyFields(what.vary ?? null) ?? [];
          const variants = url !== undefined && url.fields.join() === fields.join() ? url.variants : new Map();
          variants.set(variantKey(fields, request), { by: exchange });
          store.set(key, { fields, variants });
        }
      }),
      { numRuns: 4_000 },
    );
  });
});
