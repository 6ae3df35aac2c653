/** Overrides: one limit of one tenant, raised or lowered for a while, without a deploy. It ends by itself. */
import type { LimitConfig } from "../config/model.ts";
import type { CompiledTenant, Tables } from "../config/tables.ts";
import { bucketSpec, isExact, parseRate } from "../config/units.ts";
import { type LimitSpec, MICRO_TOKENS_PER_TOKEN, SLOT_MICRO, type TokenBucketSpec } from "../policy/limits/types.ts";
import type { OverrideRecord } from "../protocol/tenant.ts";
import type { OverrideBody, OverrideView } from "./contract.ts";

/** What may be overridden: the tenant's own limits, its concurrency, and those of all routes. */
export function limitsOf(tables: Tables, tenant: CompiledTenant): ReadonlyMap<string, LimitConfig> {
  const all = [...tenant.limits, ...tables.config.routes.flatMap((route) => route.limits)];
  return new Map(all.map((limit) => [limit.id, limit]));
}

/** The spec that the body asks for, or what is wrong with it. */
export function overrideSpec({ id, spec }: LimitConfig, body: OverrideBody): LimitSpec | { readonly problem: string } {
  const given = (["rate", "burst", "quota", "slots"] as const).filter((key) => body[key] !== undefined);
  const valid = { bucket: ["rate", "burst"], quota: ["quota"], slots: ["slots"] }[spec.kind];
  if (given.length === 0 || given.some((key) => !valid.includes(key))) {
    const found = given.length === 0 ? "nothing" : given.join(", ");
    return { problem: `"${id}" is a ${KIND[spec.kind]}: give ${valid.join(" or ")}, found ${found}` };
  }
  switch (spec.kind) {
    case "bucket":
      return overrideBucket(spec, body);
    case "quota":
      return { ...spec, quotaMicro: (body.quota ?? 0) * MICRO_TOKENS_PER_TOKEN };
    case "slots":
      return { kind: "slots", slotsMicro: (body.slots ?? 0) * SLOT_MICRO };
  }
}

const KIND = { bucket: "token bucket", quota: "quota", slots: "cap on concurrent requests" } as const;

function overrideBucket(spec: TokenBucketSpec, body: OverrideBody): LimitSpec | { readonly problem: string } {
  const burst = body.burst ?? spec.burstMicro / MICRO_TOKENS_PER_TOKEN;
  if (body.rate === undefined) return { ...spec, burstMicro: burst * MICRO_TOKENS_PER_TOKEN };
  const rate = parseRate(body.rate);
  if (rate === undefined) return { problem: "rate must be above zero" };
  if (!isExact(rate, burst)) {
    return { problem: "burst is too large for a rate of this precision: use fewer decimals or a smaller burst" };
  }
  return bucketSpec(rate, burst);
}

export function overrideView(tenant: string, { limitId, spec, ...rest }: OverrideRecord): OverrideView {
  return { tenant, limit: limitId, inForce: inWords(spec), ...rest };
}

function inWords(spec: LimitSpec): string {
  switch (spec.kind) {
    case "bucket": {
      const perSecond = (spec.refillNumerator * 1_000) / spec.refillDenominator / MICRO_TOKENS_PER_TOKEN;
      const rate = perSecond >= 1 ? `${rounded(perSecond)}/s` : `${rounded(perSecond * 3_600)}/h`;
      return `${rate}, burst ${spec.burstMicro / MICRO_TOKENS_PER_TOKEN}`;
    }
    case "quota":
      return `${spec.quotaMicro / MICRO_TOKENS_PER_TOKEN} per ${spec.period}`;
    case "slots":
      return `${spec.slotsMicro / SLOT_MICRO} at once`;
  }
}

const rounded = (value: number): number => Number(value.toFixed(3));
