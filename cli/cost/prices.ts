/**
 * Published prices of the Workers Paid plan in dollars, and what an account's plan includes each month. Looked up in
 * November 2026 at developers.cloudflare.com: workers/platform/pricing, durable-objects/platform/pricing,
 * kv/platform/pricing, analytics/analytics-engine/pricing. Every one can be replaced with `--set`.
 */
export interface Price {
  readonly name: string;
  /** Dollars for `per` units beyond what is included. */
  readonly dollars: number;
  readonly per: number;
  readonly unit: string;
  readonly included: number;
}

const MILLION = 1_000_000;

export const PLAN_DOLLARS = 5;

export const PRICES = {
  requests: { name: "Workers requests", dollars: 0.3, per: MILLION, unit: "requests", included: 10 * MILLION },
  cpu: { name: "Workers CPU", dollars: 0.02, per: MILLION, unit: "CPU ms", included: 30 * MILLION },
  objectRequests: { name: "Durable Object requests", dollars: 0.15, per: MILLION, unit: "requests", included: MILLION },
  objectDuration: { name: "Durable Object duration", dollars: 12.5, per: MILLION, unit: "GB-s", included: 400_000 },
  rowsWritten: { name: "SQLite rows written", dollars: 1, per: MILLION, unit: "rows", included: 50 * MILLION },
  rowsRead: { name: "SQLite rows read", dollars: 0.001, per: MILLION, unit: "rows", included: 25_000 * MILLION },
  objectStorage: { name: "SQLite storage", dollars: 0.2, per: 1, unit: "GB-month", included: 5 },
  kvReads: { name: "KV reads", dollars: 0.5, per: MILLION, unit: "reads", included: 10 * MILLION },
  kvWrites: { name: "KV writes", dollars: 5, per: MILLION, unit: "writes", included: MILLION },
  kvStorage: { name: "KV storage", dollars: 0.5, per: 1, unit: "GB-month", included: 1 },
  analyticsPoints: {
    name: "Analytics Engine",
    dollars: 0.25,
    per: MILLION,
    unit: "data points",
    included: 10 * MILLION,
  },
  cacheApi: { name: "Cache API", dollars: 0, per: MILLION, unit: "operations", included: 0 },
} as const satisfies Readonly<Record<string, Price>>;

export type PriceId = keyof typeof PRICES;
