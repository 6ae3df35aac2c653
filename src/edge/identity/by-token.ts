/** Who calls, by a JWT: tenant and plan are claims of it. A token seen before costs one look-up. */
import type { CompiledIdentity } from "../../config/identity.ts";
import type { CompiledTenant } from "../../config/tables.ts";
import { FETCH_AGAIN_MS } from "../../policy/identity/key-set.ts";
import { isTenantId, tenantCoordinator } from "../../protocol/tenant.ts";
import type { Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { refuse } from "../refuse.ts";
import { findTenant, type Refused, tenantOf } from "./tenants.ts";
import type { VerifiedToken } from "./tokens.ts";

type TokenRule = Extract<CompiledIdentity, { type: "jwt" }>;

export function identifyByToken(edge: Edge, x: Exchange, rule: TokenRule, presented: string): StageAnswer {
  const known = edge.tokens.known(rule, presented, x, x.startedAtMs);
  return known === undefined ? verify(edge, x, rule, presented) : accept(edge, x, rule, known);
}

async function verify(edge: Edge, x: Exchange, rule: TokenRule, presented: string): Promise<Response | undefined> {
  const secret = x.env.WEIR_KEY_SECRET ?? "";
  const verdict = await edge.tokens.verify(rule, presented, x, (partition) =>
    secret === "" ? undefined : edge.credentials.partitionKey(secret, partition),
  );
  switch (verdict.kind) {
    case "good":
      return accept(edge, x, rule, verdict.token);
    case "bad":
      return refuse(x, "invalid-token");
    case "unverifiable":
      x.retryAfterMs = FETCH_AGAIN_MS;
      return refuse(x, "token-unverifiable");
  }
}

function accept(edge: Edge, x: Exchange, rule: TokenRule, token: VerifiedToken): Refused {
  const { tenantId, plan } = token;
  const tenant = tenantOf(x, tenantId, plan);
  if (tenant !== undefined) return acceptFor(x, rule, token, tenant);
  const refused = (): Response => refuse(x, "invalid-token");
  if (!isTenantId(tenantId)) return refused();
  return findTenant(edge, x, { id: tenantId, plan }, (found) => acceptFor(x, rule, token, found), refused);
}

function acceptFor(x: Exchange, rule: TokenRule, token: VerifiedToken, tenant: CompiledTenant): undefined {
  const { tenantId, principal, partitionKey } = token;
  x.consumedHeaders = rule.consumed;
  x.caller = {
    tenant,
    coordinatorName: tenantCoordinator(tenantId),
    principal,
    keyId: undefined,
    partitionKey,
    exempt: false,
  };
}
