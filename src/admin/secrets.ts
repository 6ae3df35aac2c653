/** The secrets the Worker needs, and what to do where one is missing. */
import type { Env } from "../platform/bindings.ts";
import { MIN_SECRET_LENGTH } from "./auth.ts";
import { problem } from "./reply.ts";

type SecretName = "WEIR_KEY_SECRET" | "WEIR_ADMIN_TOKEN" | "WEIR_PROXY_SECRET";

export const isMissing = (env: Env, name: SecretName): boolean => (env[name]?.length ?? 0) < MIN_SECRET_LENGTH;

export function secretsMissing(missing: readonly SecretName[]): Response {
  const how = `set it with: npx wrangler secret put ${missing.join(" / ")} (at least ${MIN_SECRET_LENGTH} characters)`;
  return problem(503, `Secret missing or too short: ${missing.join(", ")}`, how);
}
