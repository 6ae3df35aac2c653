/** `policy/cache/storing`, from which safeguards can be taken away. */
import type { CachePolicy, HeaderReader } from "../../../src/policy/cache/freshness.ts";
import * as real from "#true/policy/cache/storing.ts";
import { without } from "../safeguards.ts";

export * from "#true/policy/cache/storing.ts";

const hiding =
  (header: HeaderReader, word: string): HeaderReader =>
  (name) =>
    name.endsWith("cache-control") ? (header(name)?.toLowerCase().replaceAll(word, "x-hidden") ?? null) : header(name);

const lacking =
  (header: HeaderReader, lacked: string): HeaderReader =>
  (name) =>
    name === lacked ? null : header(name);

export function mayStore(context: real.StoringContext, given: HeaderReader, policy: CachePolicy): boolean {
  let header = given;
  if (without("private")) header = hiding(header, "private");
  if (without("no-store")) header = hiding(header, "no-store");
  if (without("Set-Cookie")) header = lacking(header, "set-cookie");
  if (without("Vary: *")) header = lacking(header, "vary");
  const status = without("that parts are not kept as wholes") && context.status === 206 ? 200 : context.status;
  const authorized = context.authorized && !without("Authorization");
  const withCookie = context.withCookie && !without("Cookie");
  return real.mayStore({ ...context, authorized, withCookie, status }, header, policy);
}

export const primaryKey: typeof real.primaryKey = (origin, site, path, query, tenant) =>
  real.primaryKey(
    origin,
    without("the site in the key") ? "" : site,
    path,
    without("the query in the key") ? "" : query,
    without("the tenant in the key") ? "" : tenant,
  );

export const variantKey: typeof real.variantKey = (fields, header) =>
  without("Vary in the key") ? "" : real.variantKey(fields, header);

export const varyFields: typeof real.varyFields = (vary) =>
  real.varyFields(without("Vary: *") && vary !== null ? vary.replaceAll("*", "") : vary);

export const mergeNotModified: typeof real.mergeNotModified = (stored, update) =>
  real.mergeNotModified(
    stored,
    without("that a 304 may take back a permission")
      ? [...update].filter(([name]) => name !== "vary" && !name.endsWith("cache-control"))
      : update,
  );
