/**
 * identify: who calls. The identity rules are tried in the file's order; the first whose credential is present decides,
 * so a wrong one is refused and never falls through to the anonymous plan. A consumed credential is not passed on.
 * A forged key costs one MAC, a forged token one signature check, and neither a coordinator call: only the verified
 * caller of a tenant that the config does not name makes this isolate ask who that is, once.
 */
import ipaddr from "ipaddr.js";
import type { CompiledIdentity } from "../../config/identity.ts";
import type { CompiledTenant } from "../../config/tables.ts";
import { mayUse } from "../../policy/identity/scopes.ts";
import { hash32 } from "../../policy/kernel/hash.ts";
import type { VerifiedKey } from "../credentials.ts";
import type { AddressPartition, Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { hasTrustedHeader, identifyByProxy } from "../identity/by-proxy.ts";
import { identifyByToken } from "../identity/by-token.ts";
import { findTenant, type Refused, tenantOf } from "../identity/tenants.ts";
import { refuse } from "../refuse.ts";

type AnonymousRule = Extract<CompiledIdentity, { type: "anonymous" }>;

/** Anonymous callers share this many partitions of each limit, ... */
export const ANONYMOUS_PARTITIONS = 4_096;
/** ... spread over this many coordinator objects for each plan. */
export const ANONYMOUS_COORDINATORS = 16;

export function identify(edge: Edge, x: Exchange): StageAnswer {
  for (const rule of x.tables.identity) {
    const answer = identifyBy(edge, x, rule);
    if (answer !== "absent") return answer;
  }
  return refuse(x, "unauthenticated");
}

/** Whether the request has a credential of this kind; everybody is anonymous. */
export function hasCredential(headers: Headers, rule: CompiledIdentity): boolean {
  switch (rule.type) {
    case "apiKey":
    case "jwt":
      return presentedText(headers, rule) !== undefined;
    case "trustedHeader":
      return hasTrustedHeader(headers, rule);
    case "anonymous":
      return true;
  }
}

/** "absent": the request has no credential of this kind. */
function identifyBy(edge: Edge, x: Exchange, rule: CompiledIdentity): StageAnswer | "absent" {
  switch (rule.type) {
    case "apiKey": {
      const presented = presentedText(x.inbound, rule);
      if (presented === undefined) return "absent";
      const known = edge.credentials.known(presented);
      return known === undefined ? verifyKey(edge, x, rule, presented) : acceptKey(edge, x, rule, known);
    }
    case "jwt": {
      const presented = presentedText(x.inbound, rule);
      return presented === undefined ? "absent" : identifyByToken(edge, x, rule, presented);
    }
    case "trustedHeader":
      return hasTrustedHeader(x.inbound, rule) ? identifyByProxy(edge, x, rule) : "absent";
    case "anonymous":
      return identifyAnonymous(edge, x, rule);
  }
}

/** "" where the scheme is there and nothing behind it: that is a credential too, and a wrong one. */
function presentedText(
  headers: Headers,
  { header, scheme }: { readonly header: string; readonly scheme?: string },
): string | undefined {
  const value = headers.get(header);
  if (value === null || scheme === undefined) return value ?? undefined;
  if (value.length > scheme.length && value[scheme.length] !== " ") return undefined;
  if (value.slice(0, scheme.length).toLowerCase() !== scheme.toLowerCase()) return undefined;
  return value.slice(scheme.length + 1).trim();
}

async function verifyKey(
  edge: Edge,
  x: Exchange,
  rule: CompiledIdentity,
  presented: string,
): Promise<Response | undefined> {
  const secret = x.env.WEIR_KEY_SECRET;
  if (secret === undefined || secret === "") {
    return refuse(x, "key-secret-missing");
  }
  const key = await edge.credentials.verify(secret, presented);
  if (key === undefined) return refuseKey(x);
  return acceptKey(edge, x, rule, key);
}

function acceptKey(edge: Edge, x: Exchange, rule: CompiledIdentity, key: VerifiedKey): Refused {
  if (x.startedAtMs >= key.expiresAtMs) return refuseKey(x);
  const { tenantId: id } = key;
  const tenant = tenantOf(x, id);
  if (tenant !== undefined) return acceptKeyOf(x, rule, key, tenant);
  return findTenant(
    edge,
    x,
    { id },
    (found) => acceptKeyOf(x, rule, key, found),
    () => refuseKey(x),
  );
}

function acceptKeyOf(
  x: Exchange,
  rule: CompiledIdentity,
  key: VerifiedKey,
  tenant: CompiledTenant,
): Response | undefined {
  const { coordinatorName, keyId, partitionKey, scopes } = key;
  x.consumedHeaders = rule.consumed;
  x.caller = {
    tenant,
    coordinatorName,
    principal: keyId,
    keyId,
    keyUse: key,
    partitionKey,
    exempt: false,
  };
  // Last: `rollout` asks who calls before there is a route.
  if (scopes !== undefined && !mayUse(scopes, x.method, x.route?.id ?? "")) return refuse(x, "out-of-scope");
  return undefined;
}

/** The same answer for a forged key, an expired one, and for a tenant that does not exist. */
function refuseKey(x: Exchange): Response {
  return refuse(x, "invalid-key");
}

function identifyAnonymous(edge: Edge, x: Exchange, rule: AnonymousRule): Response | undefined | Promise<undefined> {
  const { plan } = rule;
  const tenant = x.tables.anonymous(plan);
  if (tenant === undefined) return refuse(x, "unauthenticated");
  x.consumedHeaders = rule.consumed;
  const known = edge.addresses.get(x.clientIp) ?? learnAddress(edge, x);
  return known instanceof Promise
    ? known.then((partition) => acceptAddress(x, tenant, plan, partition))
    : acceptAddress(x, tenant, plan, known);
}

function acceptAddress(x: Exchange, tenant: CompiledTenant, plan: string, partition: AddressPartition): undefined {
  x.caller = {
    tenant,
    coordinatorName: `anonymous:${plan}:${partition.coordinatorSuffix}`,
    principal: partition.principal,
    keyId: undefined,
    partitionKey: partition.partitionKey,
    exempt: false,
  };
}

/** A promise only for a partition whose key was not made before. */
function learnAddress(edge: Edge, x: Exchange): AddressPartition | Promise<AddressPartition> {
  const partition = addressPartition(x.clientIp);
  const secret = x.env.WEIR_KEY_SECRET ?? "";
  const remember = (partitionKey: string | undefined): AddressPartition => {
    const learned = { ...partition, partitionKey };
    edge.addresses.set(x.clientIp, learned);
    return learned;
  };
  if (secret === "") return remember(undefined);
  const partitionKey = edge.credentials.partitionKey(secret, `anonymous|${partition.principal}`);
  return partitionKey instanceof Promise ? partitionKey.then(remember) : remember(partitionKey);
}

/** One caller is an IPv4 address or an IPv6 /64; IPv4-mapped addresses are IPv4. All others are one, "unknown". */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return "unknown";
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.toByteArray().slice(0, 8).join(".") : parsed.toNormalizedString();
}

export function addressPartition(address: string): Omit<AddressPartition, "partitionKey"> {
  const bucket = hash32(networkOf(address)) % ANONYMOUS_PARTITIONS;
  return { principal: `a${bucket}`, coordinatorSuffix: String(bucket % ANONYMOUS_COORDINATORS) };
}
