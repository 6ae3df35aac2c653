/**
 * What one isolate holds: compiled tables, lessees, breaker views, stored responses, counters. Made once, on the first
 * request (an isolate has no randomness before that), and passed to every stage; there is no other module-level state.
 */
import { LRUCache } from "lru-cache";
import type { Address } from "../config/access-entry.ts";
import type { Config, LimitConfig } from "../config/model.ts";
import type { Tables } from "../config/tables.ts";
import { Analytics } from "./analytics.ts";
import { callOrigin, type OriginAnswer, type OriginFailed, type OriginRequest } from "./call-origin.ts";
import { ConfigKeeper } from "./config-keeper.ts";
import { Flights } from "./cache/flights.ts";
import { tenantOfCoordinator } from "../protocol/tenant.ts";
import { Counters } from "./counters.ts";
import { Credentials } from "./credentials.ts";
import { Tokens } from "./identity/tokens.ts";
import { Lessees } from "./lessees.ts";
import { LogLines } from "./log-lines.ts";
import { OriginViews } from "./origin-views.ts";
import { Purges } from "./purges.ts";
import { ResponseStore } from "./cache/response-store.ts";
import { Snapshots } from "./snapshots.ts";
import { tableSize } from "./table-size.ts";
import { Tail } from "./tail.ts";
import { TenantProfiles } from "./tenant-profiles.ts";
import { TrialCounts } from "./trial-counts.ts";
import { type Series, series } from "../protocol/series.ts";

/** Callers by address whose partition, and whose address as numbers, is remembered. */
const MAX_KNOWN_ADDRESSES = 10_000;
const MAX_PROXY_PRINCIPALS = 10_000;
/** Values of `RateLimit-Policy` that are kept, one for each tenant on each route. */
const MAX_POLICY_HEADERS = 20_000;

/** What tables call the tenant that callers without one are: only tenants have limits in shadow. */
const ANONYMOUS_TENANT = "anonymous";

/** The door to the origins. */
type CallOrigin = (request: OriginRequest) => Promise<OriginAnswer | OriginFailed>;

/** For an edge that knows what another one knows, and changes nothing there: it has copies, or reads. */
export interface Beside {
  readonly edge: Edge;
  readonly callOrigin: CallOrigin;
}

export class Edge {
  /** Names this isolate to coordinators: random, never used again after the isolate is gone. */
  readonly id: string;
  readonly pop: string;
  readonly startedAtMs: number;
  readonly now: () => number = Date.now;
  readonly random: () => number = Math.random;
  readonly config: ConfigKeeper;
  readonly trialCounts = new TrialCounts();
  readonly tail = new Tail();
  readonly logs: LogLines;
  readonly counters: Counters;
  readonly analytics: Analytics;
  readonly credentials: Credentials;
  readonly tokens: Tokens;
  readonly lessees: Lessees;
  readonly profiles: TenantProfiles;
  readonly origins: OriginViews;
  readonly purges: Purges;
  readonly responses: ResponseStore;
  readonly snapshots: Snapshots;
  readonly callOrigin: CallOrigin;
  /** Address -> hashed partition, see `identify`. */
  readonly addresses: LRUCache<string, AddressPartition>;
  /** Address as the platform says it -> as numbers, see `access`. */
  readonly parsedAddresses: LRUCache<string, Address>;
  /** Tenant and principal as a trusted proxy names them, see `identity/by-proxy`. */
  readonly proxyPrincipals: LRUCache<string, ProxyPrincipal>;
  readonly flights: Flights;
  /** Cache keys that are being refreshed behind an answer. */
  readonly refreshes = new Set<string>();

  readonly #traceId: string;
  readonly #idPrefix: string;
  #requests = 0;
  #policyHeaderCount = 0;
  #policyHeaders = new Map<readonly LimitConfig[], Map<readonly LimitConfig[], string>>();

  /** `config` is what the bundle brought, `text` its file. `beside`: of another edge, whose config it goes by. */
  constructor(config: Config, pop: string, text?: string, beside?: Beside) {
    const other = beside?.edge;
    this.id = crypto.randomUUID();
    this.#traceId = this.id.replaceAll("-", "");
    this.#idPrefix = this.#traceId.slice(0, 12);
    this.pop = pop;
    this.startedAtMs = this.now();
    this.counters = new Counters(this.id);
    const countEvent = (event: Series): void => {
      this.counters.countEvent(event);
    };
    this.analytics = new Analytics(pop, this.startedAtMs, countEvent);
    this.credentials = new Credentials(other);
    this.snapshots = new Snapshots(other);
    this.addresses = new LRUCache({ max: tableSize(MAX_KNOWN_ADDRESSES, other) });
    this.parsedAddresses = new LRUCache({ max: tableSize(MAX_KNOWN_ADDRESSES, other) });
    this.proxyPrincipals = new LRUCache({ max: tableSize(MAX_PROXY_PRINCIPALS, other) });
    this.tokens = new Tokens({
      now: this.now,
      count: countEvent,
      beside: other?.tokens,
    });
    const shared = { edgeId: this.id, now: this.now, random: this.random };
    this.config = other?.config ?? this.#ownConfig(config, text);
    this.logs = new LogLines({
      random: this.random,
      settings: () => this.tables.config.logs,
      countEvent,
      traceIdOf: (requestId) => this.traceIdOf(requestId),
    });
    this.lessees = new Lessees({
      ...shared,
      onShadowRefused: (coordinatorName, limit, count) => {
        this.counters.countEvent(series("weir_limit_shadow_refused_total", { limit: limit.id }), count);
        this.counters.countShadowed(tenantOfCoordinator(coordinatorName) ?? ANONYMOUS_TENANT, count);
      },
      onRecord: (coordinatorName, record) => {
        const tenantId = tenantOfCoordinator(coordinatorName);
        if (tenantId !== undefined) this.profiles.take(tenantId, record);
      },
      beside: other?.lessees,
    });
    this.profiles = new TenantProfiles({
      now: this.now,
      recordAtMs: (coordinatorName) => this.lessees.recordAtMs(coordinatorName),
      onFailure: () => {
        this.counters.countEvent(series("weir_tenant_lookup_failures_total"));
      },
      beside: other?.profiles,
    });
    this.purges = new Purges({
      now: this.now,
      countEvent,
      beside: other?.purges,
    });
    this.origins = new OriginViews({
      ...shared,
      countEvent: (event) => {
        this.counters.countEvent(event);
      },
      onView: (view, site, askedAtMs) => {
        if (other === undefined) this.config.heard(view.config, site);
        this.purges.hear({ ...site, originId: site.origin.stateId }, view.purgeEpoch, askedAtMs);
      },
      beside: other?.origins,
    });
    this.responses = new ResponseStore(pop, other?.responses);
    this.flights = new Flights(other?.flights);
    this.callOrigin = beside?.callOrigin ?? ((request) => callOrigin(this.origins, request));
  }

  #ownConfig(config: Config, text: string | undefined): ConfigKeeper {
    return new ConfigKeeper({
      config,
      text,
      pop: this.pop,
      now: this.now,
      random: this.random,
      onFailure: () => {
        this.counters.countEvent(series("weir_config_refresh_failures_total"));
      },
      onSwap: () => {
        this.#policyHeaders = new Map();
        this.#policyHeaderCount = 0;
        this.logs.redraw();
        this.counters.countEvent(series("weir_config_swaps_total"));
      },
    });
  }

  /** Everybody's; a request that a trial chose has others. */
  get tables(): Tables {
    return this.config.tables;
  }

  /** 24 hex digits: 12 random ones of the isolate, 12 of a counter. Cheaper than randomness for every request. */
  nextRequestId(): string {
    this.#requests++;
    return this.#idPrefix + this.#requests.toString(16).padStart(12, "0");
  }

  /** 32 hex digits, different for each request of each isolate. */
  traceIdOf(requestId: string): string {
    return this.#traceId.slice(12, 20) + requestId;
  }

  /** `RateLimit-Policy` of the tenant's limits together with the route's: constant, so made once for each pair. */
  policyHeader(
    tenantLimits: readonly LimitConfig[],
    routeLimits: readonly LimitConfig[],
    serialise: (limits: readonly LimitConfig[]) => string,
  ): string {
    const known = this.#policyHeaders.get(tenantLimits)?.get(routeLimits);
    if (known !== undefined) return known;
    if (this.#policyHeaderCount >= MAX_POLICY_HEADERS) {
      this.#policyHeaders = new Map();
      this.#policyHeaderCount = 0;
    }
    const header = serialise([...tenantLimits, ...routeLimits].filter((limit) => limit.mode === "enforce"));
    const byRoute = this.#policyHeaders.get(tenantLimits) ?? new Map<readonly LimitConfig[], string>();
    this.#policyHeaders.set(tenantLimits, byRoute.set(routeLimits, header));
    this.#policyHeaderCount++;
    return header;
  }
}

export interface ProxyPrincipal {
  readonly principal: string;
  readonly partitionKey: string | undefined;
}

export interface AddressPartition {
  readonly principal: string;
  readonly coordinatorSuffix: string;
  readonly partitionKey: string | undefined;
}
