/** What the tests of the cache's rules share: a response and a request in headers, at a known time. */
import { parseCacheControl } from "../../../src/policy/cache/cache-control.ts";
import {
  type CachePolicy,
  type Freshness,
  freshnessOf,
  type HeaderReader,
  judgeUse,
  mayServeOnError,
} from "../../../src/policy/cache/freshness.ts";
import { mayStore, type StoringContext } from "../../../src/policy/cache/storing.ts";

export type Fields = Readonly<Record<string, string>>;

export const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);
export const SHARED: CachePolicy = { scope: "shared" };
export const date = (offsetSeconds: number): string => new Date(NOW + offsetSeconds * 1_000).toUTCString();
export const reader =
  (fields: Fields): HeaderReader =>
  (name) =>
    fields[name] ?? null;

/** Received now, with a `Date` of now. */
export const received = (fields: Fields, policy = SHARED, status = 200): Freshness =>
  freshnessOf(status, reader({ date: date(0), ...fields }), policy, NOW, NOW);

/** What a request with `asked` may do with it so many seconds later. */
export const use = (fields: Fields, seconds: number, asked?: string, policy = SHARED): string =>
  judgeUse(received(fields, policy), asked === undefined ? undefined : parseCacheControl(asked), NOW + seconds * 1_000);

export const onError = (fields: Fields, seconds: number, policy = SHARED): boolean =>
  mayServeOnError(received(fields, policy), NOW + seconds * 1_000);

export const WHOLE_GET: StoringContext = {
  method: "GET",
  authorized: false,
  withCookie: false,
  requestNoStore: false,
  status: 200,
  complete: true,
};
export const stores = (fields: Fields, change: Partial<StoringContext> = {}, policy = SHARED): boolean =>
  mayStore({ ...WHOLE_GET, ...change }, reader(fields), policy);
