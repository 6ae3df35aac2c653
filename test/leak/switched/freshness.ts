/** `policy/cache/freshness`, from which safeguards can be taken away. */
import * as real from "#true/policy/cache/freshness.ts";
import { without } from "../safeguards.ts";

export * from "#true/policy/cache/freshness.ts";

export const freshnessOf: typeof real.freshnessOf = (...told) => {
  const freshness = real.freshnessOf(...told);
  return {
    ...freshness,
    noCache: freshness.noCache && !without("no-cache"),
    neverStale: freshness.neverStale && !without("must-revalidate"),
  };
};
