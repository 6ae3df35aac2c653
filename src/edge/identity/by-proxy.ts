/**
 * Who calls, by the word of a proxy in front that has identified the caller itself. It proves itself with a shared
 * secret in a header; whoever sends any of the rule's headers without it is refused, and never taken for anonymous.
 */
import type { CompiledIdentity } from "../../config/identity.ts";
import type { CompiledTenant } from "../../config/tables.ts";
import { principalOf, sameText } from "../../platform/api-key.ts";
import { isTenantId, tenantCoordinator } from "../../protocol/tenant.ts";
import type { Edge, ProxyPrincipal } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { refuse } from "../refuse.ts";
import { findTenant, tenantOf } from "./tenants.ts";

type ProxyRule = Extract<CompiledIdentity, { type: "trustedHeader" }>;

const MIN_SECRET_LENGTH = 32;
const MAX_PRINCIPAL_LENGTH = 1_024;

export function hasTrustedHeader(headers: Headers, rule: ProxyRule): boolean {
  return (
    headers.has(rule.secretHeader) ||
    headers.has(rule.tenantHeader) ||
    (rule.principalHeader !== undefined && headers.has(rule.principalHeader))
  );
}

export function identifyByProxy(edge: Edge, x: Exchange, rule: ProxyRule): StageAnswer {
  const { inbound: headers } = x;
  const secret = x.env.WEIR_PROXY_SECRET ?? "";
  if (secret.length < MIN_SECRET_LENGTH) return refuse(x, "proxy-secret-missing");
  if (!sameText(headers.get(rule.secretHeader) ?? "", secret)) return refuse(x, "invalid-key");
  const tenantId = headers.get(rule.tenantHeader) ?? "";
  const subject = rule.principalHeader === undefined ? "" : (headers.get(rule.principalHeader) ?? "");
  if (subject.length > MAX_PRINCIPAL_LENGTH || !isTenantId(tenantId)) return refuse(x, "invalid-key");
  const name = `${tenantId}|${subject}`;
  const known = edge.proxyPrincipals.get(name);
  if (known !== undefined) return acceptTenant(edge, x, rule, tenantId, known);
  return learn(edge, x, tenantId, subject).then((learned) => {
    edge.proxyPrincipals.set(name, learned);
    return acceptTenant(edge, x, rule, tenantId, learned);
  });
}

function acceptTenant(
  edge: Edge,
  x: Exchange,
  rule: ProxyRule,
  tenantId: string,
  principal: ProxyPrincipal,
): StageAnswer {
  const tenant = tenantOf(x, tenantId);
  if (tenant !== undefined) return accept(x, rule, tenant, principal);
  return findTenant(
    edge,
    x,
    { id: tenantId },
    (found) => accept(x, rule, found, principal),
    () => refuse(x, "invalid-key"),
  );
}

/** All callers that the proxy does not tell apart are one principal of their tenant. */
async function learn(edge: Edge, x: Exchange, tenantId: string, subject: string): Promise<ProxyPrincipal> {
  const principal = `s${await principalOf("proxy", subject)}`;
  const secret = x.env.WEIR_KEY_SECRET ?? "";
  const partitionKey =
    secret === "" ? undefined : await edge.credentials.partitionKey(secret, `${tenantId}|${principal}`);
  return { principal, partitionKey };
}

function accept(
  x: Exchange,
  rule: ProxyRule,
  tenant: CompiledTenant,
  { principal, partitionKey }: ProxyPrincipal,
): undefined {
  x.consumedHeaders = rule.consumed;
  x.caller = {
    tenant,
    coordinatorName: tenantCoordinator(tenant.id),
    principal,
    keyId: undefined,
    partitionKey,
    exempt: false,
  };
}
