/** The secrets the Worker needs, and what to do where one is missing. */
import type { Tables } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { problem } from "./reply.ts";

const MIN_SECRET_LENGTH = 32;

type SecretName = "WEIR_KEY_SECRET" | "WEIR_ADMIN_TOKEN" | "WEIR_PROXY_SECRET";

/** Undefined: it is not set, or too short to be one. */
export function secretOf(env: Env, name: SecretName): string | undefined {
  const secret = env[name] ?? "";
  return secret.length < MIN_SECRET_LENGTH ? undefined : secret;
}

export function secretsFor({ identity }: Tables): readonly SecretName[] {
  const needsProxy = identity.some(({ type }) => type === "trustedHeader");
  return ["WEIR_KEY_SECRET", "WEIR_ADMIN_TOKEN", ...(needsProxy ? (["WEIR_PROXY_SECRET"] as const) : [])];
}

export const isMissing = (env: Env, name: SecretName): boolean => secretOf(env, name) === undefined;

export function secretsMissing(missing: readonly SecretName[]): Response {
  const how = `set it with: npx wrangler secret put ${missing.join(" / ")} (at least ${MIN_SECRET_LENGTH} characters)`;
  return problem(503, `Secret missing or too short: ${missing.join(", ")}`, how);
}
