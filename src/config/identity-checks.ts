/** What of the identity rules depends on more than one value. */
import type { Found } from "./checks.ts";
import type { ConfigFile } from "./schema.ts";
import { BOUNDS } from "./schema-parts.ts";
import { suggest } from "./suggest.ts";
import { durationMs } from "./units.ts";
import { checkJwksUrl } from "./url-check.ts";

export function checkIdentity(file: ConfigFile, found: Found): void {
  for (const [index, rule] of file.identity.entries()) {
    const at = ["identity", index] as const;
    if (rule.type === "anonymous" && !Object.hasOwn(file.plans, rule.plan)) {
      found([...at, "plan"], `unknown plan "${rule.plan}"${suggest(rule.plan, Object.keys(file.plans))}`);
    }
    if (rule.type === "jwt") {
      checkJwksUrl([...at, "jwks"], rule.jwks, found);
      if (durationMs(rule.clockTolerance ?? "0s") > BOUNDS.clockToleranceMs) {
        found([...at, "clockTolerance"], `must be between 0ms and ${BOUNDS.clockToleranceMs}ms`);
      }
    }
    if (rule.type === "trustedHeader") {
      const { secretHeader = "x-weir-proxy-secret", tenantHeader, principalHeader } = rule;
      const names = [tenantHeader, secretHeader, principalHeader].flatMap((name) => name?.toLowerCase() ?? []);
      if (new Set(names).size < names.length) found([...at, "tenantHeader"], "must be a header of its own");
    }
  }
}

/** Rules that are never asked, because an earlier one always decides. */
export function identitySense(file: ConfigFile, found: Found): void {
  const earlier = new Map<string, number>();
  for (const [index, rule] of file.identity.entries()) {
    const anonymous = earlier.get("anonymous");
    const place = placeOf(rule);
    const same = anonymous ?? earlier.get(place);
    if (same === undefined) earlier.set(place, index);
    else {
      const why = anonymous === undefined ? "reads the same header" : "takes whoever has no credential";
      found(["identity", index], `is never asked: identity.${same} ${why}`);
    }
  }
}

function placeOf(rule: ConfigFile["identity"][number]): string {
  switch (rule.type) {
    case "anonymous":
      return "anonymous";
    case "apiKey":
      return `${rule.header} ${rule.scheme ?? ""}`.toLowerCase();
    case "jwt": {
      const header = (rule.header ?? "authorization").toLowerCase();
      return `${header} ${header === "authorization" ? "bearer" : ""}`;
    }
    case "trustedHeader":
      return `${rule.tenantHeader} `.toLowerCase();
  }
}
