/**
 * The one schema of `weir.jsonc`: types, JSON Schema (`weir.schema.json`) and validation all come from here. It checks
 * each value by itself; `checks.ts` checks what depends on more than one place.
 */
import * as z from "zod";
import { LADDER_RUNGS } from "../policy/degradation/ladder.ts";
import { PAGE_KINDS, PAGE_LANGUAGES, PAGE_MEDIA_TYPES } from "./pages/vocabulary.ts";
import { JWT_ALGORITHMS } from "../policy/identity/token.ts";
import { BOUNDS, count, duration, failureRatio, headerName, name, strict, tenantId } from "./schema-parts.ts";
import { alerts, logs, objective } from "./schema-watching.ts";
import { RATE_PATTERN } from "./units.ts";

const limit = strict({
  rate: z
    .string()
    .regex(RATE_PATTERN, 'must be a rate above zero like "200/s", "100/m", "5/h", "1000/d"')
    .describe("Refill of a token bucket: tokens per second, minute, hour or day; at most three decimals.")
    .optional(),
  burst: count(BOUNDS.burst)
    .describe("Capacity of the bucket in tokens. Default: one second of the rate, at least 1.")
    .optional(),
  quota: count(BOUNDS.burst).describe("Tokens per calendar period, instead of rate and burst.").optional(),
  per: z.enum(["minute", "hour", "day", "month"]).describe("The quota's calendar period.").optional(),
  timeZone: z.string().max(64).describe("IANA time zone in which the period begins. Default UTC.").optional(),
  partition: z
    .enum(["tenant", "principal"])
    .describe("One bucket for the tenant, or one for each principal (API key or address). Default tenant.")
    .optional(),
  mode: z
    .enum(["enforce", "shadow", "off"])
    .describe("enforce; shadow: counted, never refuses; off. Default enforce.")
    .optional(),
  failMode: z
    .enum(["local", "open", "closed"])
    .describe(
      "When the coordinator is out of reach: local (a share of the rate), open (admit), closed (refuse). Default local.",
    )
    .optional(),
  deadline: duration
    .describe("How long a request may wait for the coordinator before failMode applies. Default 150ms.")
    .optional(),
}).superRefine((value, context) => {
  const bucket = value.rate !== undefined || value.burst !== undefined;
  const quota = value.quota !== undefined || value.per !== undefined || value.timeZone !== undefined;
  const problem = (message: string): void => {
    context.addIssue({ code: "custom", message });
  };
  if (bucket && quota) problem("must be a token bucket (rate, burst) or a quota (quota, per), not both");
  else if (!bucket && !quota) problem('must have "rate" (a token bucket) or "quota" with "per"');
  else if (bucket && value.rate === undefined) problem('"burst" needs a "rate"');
  else if (quota && (value.quota === undefined || value.per === undefined)) problem('needs both "quota" and "per"');
});
const limits = z.record(name, limit).describe("Limits by name.");

const origin = strict({
  url: z
    .string()
    .max(2_048)
    .describe("http(s) URL of the origin; a path becomes a prefix. No credentials, query or fragment."),
  deadline: duration.describe("Longest time for one call, retries included. Default 10s.").optional(),
  tryTimeout: duration.describe("Longest time for one attempt. Default: the deadline.").optional(),
  retry: strict({
    attempts: z.number().int().min(1).max(3).describe("Attempts in all, 1 to 3. Default 2.").optional(),
    budget: z.number().min(0).max(1).describe("Retries as a share of answered calls, 0 to 1. Default 0.1.").optional(),
  })
    .describe("Retries of transient failures of idempotent requests.")
    .optional(),
  breaker: strict({
    earlyAge: duration
      .describe(
        "A call still pending after this long counts against the origin; later where the origin usually takes longer. Default 500ms.",
      )
      .optional(),
    slowCall: duration
      .describe("A call that took longer counts as a failure, whatever it brought. Default: none does.")
      .optional(),
    tripScore: z
      .number()
      .min(1)
      .max(1_000)
      .describe("Evidence at which the breaker opens. Default 20: 22 failures in a row.")
      .optional(),
    popTripScore: z
      .number()
      .min(1)
      .max(1_000)
      .describe("Evidence at which a PoP that fails alone is opened alone. Default 14: 15 failures in a row.")
      .optional(),
    brownOutRatio: failureRatio
      .describe("Share of failing calls that is borne without opening, only throttled. Default 0.35.")
      .optional(),
    outageRatio: failureRatio
      .describe("Share of failing calls in an outage; above brownOutRatio. Default 0.9.")
      .optional(),
    quorumPops: count(1_000)
      .describe("PoPs that must see the failure, capped by the active ones. Default 3.")
      .optional(),
    backoff: duration.describe("First wait before a probe. Default 1s.").optional(),
    maxBackoff: duration.describe("Longest wait before a probe. Default 5s.").optional(),
    flapWindow: duration
      .describe("Opened again within this time after closing, its first wait doubles each time. Default 60s.")
      .optional(),
    flapMaxBackoff: duration.describe("Longest wait before a probe while it flaps so. Default 60s.").optional(),
    probes: z
      .number()
      .int()
      .min(1)
      .max(10)
      .describe("Probes under way at once, in the whole world. Default 1.")
      .optional(),
    closeAfter: z.number().int().min(1).max(100).describe("Successful probes before it closes. Default 3.").optional(),
    ramp: duration.describe("From 10 % to 100 % of traffic after closing. Default 10s.").optional(),
    probePath: z
      .string()
      .startsWith("/")
      .max(1_024)
      .describe("Path the coordinator probes by itself. Default /.")
      .optional(),
  }).optional(),
  concurrency: z
    .union([
      count(BOUNDS.concurrency),
      strict({
        max: count(BOUNDS.concurrency).describe("Concurrent calls while it answers as fast as usual."),
        min: count(BOUNDS.concurrency).describe("Concurrent calls at least, however slow it has become."),
      }),
    ])
    .describe("Concurrent calls to this origin, in the whole world: a number, or bounds between which latency decides.")
    .optional(),
  concurrencyPerTenant: count(BOUNDS.concurrency)
    .describe("Concurrent calls of one tenant to this origin, in the whole world.")
    .optional(),
  failover: name.describe("Origin to call when this one cannot answer.").optional(),
  keyAware: z
    .boolean()
    .describe("The origin honours Idempotency-Key, so such requests may be retried. Default false.")
    .optional(),
});

const claim = z.string().min(1).max(128);
const audience = z.string().min(1).max(512);
const jwt = strict({
  type: z.literal("jwt"),
  issuer: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/, "must be 1 to 512 visible characters without quotes and backslashes")
    .describe("What the token's iss must be, to the letter."),
  audience: z
    .union([audience, z.array(audience).min(1).max(16)])
    .describe("What the token's aud must be, or have among others; of several, one is enough."),
  jwks: z
    .string()
    .max(2_048)
    .describe("URL of the issuer's public keys, https; http on this machine. Redirects are not followed."),
  algorithms: z
    .array(z.enum(JWT_ALGORITHMS))
    .min(1)
    .describe("Signatures that are accepted, whatever the token says. Default ES256, RS256.")
    .optional(),
  tenantClaim: claim.describe("Claim at the token's top level that names the tenant."),
  planClaim: claim
    .describe("Claim that names a plan of this file, in the place of the tenant's. Absent from a token: the tenant's.")
    .optional(),
  header: headerName
    .describe(
      "Header that carries the token: authorization with the scheme Bearer, others without. Default authorization.",
    )
    .optional(),
  clockTolerance: duration.describe("How far clocks may differ at exp and nbf, up to 5m. Default 30s.").optional(),
  forward: z.boolean().describe("The token goes on to the origin. Default false.").optional(),
});
const trustedHeader = strict({
  type: z.literal("trustedHeader"),
  tenantHeader: headerName.describe("Header in which a proxy in front names the tenant."),
  principalHeader: headerName
    .describe("Header in which it names who calls within the tenant. Without it they are all one principal.")
    .optional(),
  secretHeader: headerName
    .describe(
      "Header with the secret WEIR_PROXY_SECRET, without which nothing is believed. Default x-weir-proxy-secret.",
    )
    .optional(),
});

const identityRule = z.discriminatedUnion("type", [
  strict({
    type: z.literal("apiKey"),
    header: headerName.describe("Header that carries the key."),
    scheme: headerName.describe('Scheme before the key, for example "Bearer".').optional(),
  }),
  jwt,
  trustedHeader,
  strict({ type: z.literal("anonymous"), plan: name.describe("Plan of callers without a credential.") }),
]);

const accessList = z.array(
  z.string().describe("An address, a network (CIDR), or key:<key id>; IPv4-mapped IPv6 is IPv4."),
);
const access = strict({
  deny: accessList.describe("Callers that are refused with 403. Beats allow and exempt.").optional(),
  allow: accessList.describe("When given, all other callers are refused with 403. Beats exempt.").optional(),
  exempt: accessList.describe("Callers that limits do not charge. The concurrency cap holds for them, too.").optional(),
});

const priority = z.enum(["low", "normal", "high"]).describe("Who is shed first under overload: low. Default normal.");
const plan = strict({
  limits: limits.optional(),
  concurrency: count(100_000).describe("Concurrent requests of one tenant, in the whole world.").optional(),
  priority: priority.optional(),
  access: access.describe("Who of this plan's callers may call, beside the top-level lists.").optional(),
});
export const tenant = strict({
  plan: name,
  limits: limits.describe("Replace the plan's limits of the same name.").optional(),
  concurrency: count(100_000).optional(),
  priority: priority.optional(),
  access: access.describe("Each list replaces the plan's list of the same name.").optional(),
});

const cache = strict({
  scope: z
    .enum(["shared", "tenant"])
    .describe("shared: one entry for all tenants; tenant: each tenant has its own. Default shared.")
    .optional(),
  ttl: duration.describe("Freshness of successes and redirects where the origin says nothing.").optional(),
  negativeTtl: duration
    .describe(
      "Freshness of 404, 405, 410, 414 and 501 where the origin says nothing. Default: they are asked for again.",
    )
    .optional(),
  staleWhileRevalidate: duration
    .describe("Serve stale while refreshing behind the answer, where the origin says nothing.")
    .optional(),
  staleIfError: duration.describe("Serve stale when the origin fails, where the origin says nothing.").optional(),
  forwardHeaders: z
    .array(headerName)
    .max(BOUNDS.forwardHeaders)
    .describe(
      "Request headers that go to the origin beside those that HTTP defines; it must name in Vary what it answers by.",
    )
    .optional(),
  byContentLanguage: z
    .boolean()
    .describe(
      "An answer that names its one language (Content-Language) is also for everybody who wants that language most, whatever else their Accept-Language says. Default false: Accept-Language must be the same.",
    )
    .optional(),
  storePost: z
    .boolean()
    .describe(
      "An answer to POST is stored for later GETs where it says for how long, and its Content-Location is the URL itself. Default false.",
    )
    .optional(),
  snapshot: duration.describe("Least time between two world-wide snapshots of one page.").optional(),
});

const language = z
  .string()
  .regex(
    /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$/,
    'must be a language tag like "en", "pt-BR", "zh-Hant"',
  );
const pageFiles = z
  .partialRecord(z.enum(PAGE_MEDIA_TYPES), z.string().min(1).max(512))
  .describe(
    "Template file by media type, beside the config file. `outage.html` is in the first of `pages.languages`; `outage.de.html` beside it is its German.",
  );
const pages = strict({
  languages: z
    .array(language)
    .min(1)
    .max(BOUNDS.languages)
    .describe(`Languages of the pages, the default first. Default ${PAGE_LANGUAGES.join(", ")}.`)
    .optional(),
  files: z
    .partialRecord(z.enum(PAGE_KINDS), pageFiles)
    .describe("Pages of your own in the place of the built-in ones, for all routes that have none.")
    .optional(),
});

const route = strict({
  id: name,
  match: strict({
    methods: z
      .array(z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
      .min(1)
      .describe("Default: all.")
      .optional(),
    host: z
      .string()
      .regex(
        /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/,
        'must be a lower-case host like "api.example.com" or "*.example.com"',
      )
      .optional(),
    path: z
      .string()
      .max(1_024)
      .regex(
        /^\/(?:(?:[^/*:?#\s][^/*?#\s]*|:[A-Za-z][A-Za-z0-9]*)\/)*(?:[^/*:?#\s][^/*?#\s]*|:[A-Za-z][A-Za-z0-9]*|\*)?$/,
        "must begin with / and be made of literals, :param segments and at most one trailing *",
      )
      .describe('Literals, ":param" segments and a trailing "*".'),
  }),
  origin: name,
  deadline: duration.describe("Longest time for the origin call on this route. Default: the origin's.").optional(),
  cost: z
    .number()
    .min(0.001)
    .max(BOUNDS.cost)
    .multipleOf(0.001)
    .describe("Tokens one request takes. Default 1.")
    .optional(),
  lateCost: strict({
    header: headerName.describe("Response header of the origin; not passed on."),
    max: count(BOUNDS.cost).describe("Whatever the header says, one request costs no more tokens than this."),
  })
    .describe("Where only the origin knows the cost: what it says beyond `cost` is charged after the response.")
    .optional(),
  limits: limits.describe("Partitions of their own, for each tenant on this route.").optional(),
  cache: cache.optional(),
  charge: z.enum(["always", "miss"]).describe("Whether a cache hit costs tokens. Default always.").optional(),
  degraded: strict({
    status: z.number().int().min(200).max(599).describe("Status of the fallback page. Default 503.").optional(),
    retryAfter: duration.describe("Least Retry-After of the fallback page. Default 30s.").optional(),
    pages: pageFiles.optional(),
    ladder: z
      .array(z.enum(LADDER_RUNGS))
      .max(LADDER_RUNGS.length)
      .describe(
        `What is tried when the origin cannot answer, in this order; what is left out is not. Default ${LADDER_RUNGS.join(", ")}.`,
      )
      .optional(),
  })
    .describe("Answer with a page when the origin cannot, also in the place of its own 5xx.")
    .optional(),
});

export const configSchema = strict({
  $schema: z.string().optional(),
  version: z.literal(1),
  origins: z.record(name, origin),
  identity: z
    .array(identityRule)
    .max(16)
    .describe("Tried in order; the first whose credential is present names the tenant."),
  access: access.describe("Who may call at all: applies to everybody.").optional(),
  rateLimitFields: z
    .enum(["ietf", "legacy", "both", "none"])
    .describe("RateLimit-Policy and RateLimit (ietf), X-RateLimit-* (legacy), both or none of them. Default ietf.")
    .optional(),
  pages: pages.describe("What Weir says when it answers by itself: languages, and pages of your own.").optional(),
  plans: z.record(name, plan),
  tenants: z.record(tenantId, tenant).optional(),
  routes: z.array(route).min(1).max(BOUNDS.routes).describe("Tried in order; the first that matches is taken."),
  objectives: z.record(name, objective).describe("What is promised, by name: error budgets and burn rates.").optional(),
  alerts: alerts.describe("Who is told what, and when.").optional(),
  logs: logs.describe("Lines on the runtime's log.").optional(),
});

/** As a library nothing need be routed, so that a config may hold limits alone. */
export const librarySchema: typeof configSchema = configSchema.extend({
  routes: z.array(route).max(BOUNDS.routes),
});

export type PageFiles = z.infer<typeof pageFiles>;
export type ConfigFile = z.infer<typeof configSchema>;
export type AccessFile = z.infer<typeof access>;
export type LimitFile = z.infer<typeof limit>;
export type OriginFile = z.infer<typeof origin>;
export type RouteFile = z.infer<typeof route>;
export type TenantFile = z.infer<typeof tenant>;

/** The JSON Schema that editors complete and check `weir.jsonc` with. */
export function jsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }),
    title: "Weir configuration",
  };
}
