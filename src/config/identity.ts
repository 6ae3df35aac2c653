/** Identity rules, and which request headers each of them keeps from the origin. */
import type { IdentityRule } from "./model.ts";

export type CompiledIdentity = IdentityRule & {
  /** Lower-case: not passed on where this rule named the caller. */
  readonly consumed: readonly string[];
};

/**
 * A header that only a trusted proxy may set reaches no origin whoever the caller is: an origin that believes it would
 * otherwise believe anybody who has a key.
 */
export function compileIdentity(rules: readonly IdentityRule[]): readonly CompiledIdentity[] {
  const trusted = rules.flatMap((rule) =>
    rule.type === "trustedHeader"
      ? [rule.tenantHeader, rule.secretHeader, ...(rule.principalHeader === undefined ? [] : [rule.principalHeader])]
      : [],
  );
  return rules.map((rule) => ({ ...rule, consumed: [...ownHeaders(rule), ...trusted] }));
}

function ownHeaders(rule: IdentityRule): readonly string[] {
  switch (rule.type) {
    case "apiKey":
      return [rule.header];
    case "jwt":
      return rule.forward ? [] : [rule.header];
    case "trustedHeader":
    case "anonymous":
      return [];
  }
}
