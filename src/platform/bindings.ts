/** The Worker's bindings, as `wrangler.toml` and `local/` provide them. */
import type { ControlProtocol } from "../protocol/control.ts";
import type { MetricsProtocol } from "../protocol/metrics.ts";
import type { MonitorProtocol } from "../protocol/monitor.ts";
import type { OriginProtocol } from "../protocol/origin.ts";
import type { TenantIndexProtocol } from "../protocol/tenant-index.ts";
import type { TenantProtocol } from "../protocol/tenant.ts";

/** One coordinator kind per Durable Object namespace, with the methods edges may call on it. */
export interface CoordinatorProtocols {
  TENANT: TenantProtocol;
  ORIGIN: OriginProtocol;
  METRICS: MetricsProtocol;
  CONTROL: ControlProtocol;
  TENANT_INDEX: TenantIndexProtocol;
  MONITOR: MonitorProtocol;
}
export type CoordinatorKind = keyof CoordinatorProtocols;

/** What stands between edge and objects where a WAN is simulated (`npm start -- --wan`). */
export interface CoordinatorGateway {
  call(kind: CoordinatorKind, objectName: string, method: string, argument: unknown): Promise<unknown>;
}

/** What the code can live with: as a library it gets what its parts need. The Worker has all of `WorkerEnv`. */
export interface Env {
  /** Limits, and the slots of bulkheads. */
  readonly TENANT?: DurableObjectNamespace;
  /** Breakers. */
  readonly ORIGIN?: DurableObjectNamespace;
  /** Counters; without it nothing is counted. */
  readonly METRICS?: DurableObjectNamespace;
  /** The config in force, and its history. */
  readonly CONTROL?: DurableObjectNamespace;
  /** Tenants that are not in the file, for looking through them. */
  readonly TENANT_INDEX?: DurableObjectNamespace;
  /** What became of the counters, by the minute; objectives and alerts. Without it nothing is recorded. */
  readonly MONITOR?: DurableObjectNamespace;
  /** Workers Analytics Engine: data points by route and tenant. Without it there are none. */
  readonly ANALYTICS?: AnalyticsEngineDataset;
  /** KV: last good answers, for when an origin is down. Without it there are none. */
  readonly SNAPSHOTS?: KVNamespace;
  /** The dashboard's files; without it there is none. */
  readonly ASSETS?: Fetcher;
  /** Local only. */
  readonly WAN?: CoordinatorGateway;
  /** Secret: MAC of API keys, at least 32 characters. */
  readonly WEIR_KEY_SECRET?: string;
  /** Secret: bearer token of the admin API, at least 32 characters. */
  readonly WEIR_ADMIN_TOKEN?: string;
  /** Secret: what a proxy in front proves itself with (identity rule `trustedHeader`), at least 32 characters. */
  readonly WEIR_PROXY_SECRET?: string;
  /** Host name the admin API is on; the others have none then, and it has nothing else. */
  readonly WEIR_ADMIN_HOST?: string;
  /**
   * "open": what holds no data of the admin API, its reference and the dashboard, is shown without a token, and browsers
   * may log in; on its own host it always is so.
   */
  readonly WEIR_ADMIN_PAGES?: string;
  /** "1": configs may name origins in private networks, and this machine's; for gateways that run beside them. */
  readonly WEIR_ALLOW_PRIVATE_ORIGINS?: string;
  /** Overrides the PoP's name; otherwise `request.cf.colo`. */
  readonly WEIR_POP?: string;
  /** "1": answers carry `Server-Timing`. */
  readonly WEIR_SERVER_TIMING?: string;
}

export type WorkerEnv = Env & Required<Pick<Env, CoordinatorKind>>;
