/**
 * One route of the admin API: what it takes and gives, said once, for validation and for the OpenAPI document, and what it
 * does. Everything that all routes share (who may, the audit, replies given again) is around it, in `admin.ts`.
 */
import * as z from "zod";
import type { Edge } from "../edge/edge.ts";
import type { Tables } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import type { Actor, OperationId } from "./access.ts";
import { API_BASE } from "./contract.ts";
import { badRequest, problem } from "./reply.ts";

const MAX_BODY_BYTES = 16_384;

/** What a route is given beside its parameters. */
export interface CallSite {
  readonly edge: Edge;
  readonly env: Env;
  /** Those that everybody has. */
  readonly tables: Tables;
  readonly nowMs: number;
  readonly actor: Actor;
  readonly requestId: string;
  /** For work that may outlive the answer. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  /** Browsers may log in on this host. */
  readonly sessions: boolean;
  /** It came by https. */
  readonly isSecure: boolean;
  readonly ifMatch: string | undefined;
  /** The subprotocols that are offered; undefined: no WebSocket is to be opened. */
  readonly webSocket: readonly string[] | undefined;
  /** Of a success: what a route may add, or say otherwise. */
  readonly answer: { status: number; readonly headers: Headers };
  /** Of the audit; 0: this is no write. */
  readonly entryId: number;
  /** For the audit: what was before the write. Only what the route `keeps` is stored. */
  before(value: object | null): void;
}

export interface Call<Params, Query, Body> extends CallSite {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

interface Shape<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType, Result extends z.ZodType> {
  readonly id: OperationId;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Under the API's base, with `{name}` for parameters. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly example?: z.input<Body>;
  readonly maxBodyBytes?: number;
  readonly result: Result;
  /** Of success; 200 where nothing is said. */
  readonly status?: 101 | 201;
  readonly contentType?: string;
  /** Statuses of refusals of its own, with when. */
  readonly refusals?: Readonly<Record<number, string>>;
  /** A number in force must be given, so that of two writers at once one is told. */
  readonly ifMatch?: true;
  /** It makes something new: with the same `Idempotency-Key` only once. */
  readonly once?: true;
  /** Fields of what was before and of what it gives that go into the audit. Never secrets. */
  readonly keeps?: readonly string[];
}

/** As `admin.ts` and the document use it. */
export interface Operation extends Shape<z.ZodType, z.ZodType, z.ZodType, z.ZodType> {
  /** Checks everything, and gives back what to do, or why not. */
  prepare(given: Given): ((site: CallSite) => Promise<unknown>) | Response;
}

export interface Given {
  readonly params: Readonly<Record<string, string>>;
  readonly search: URLSearchParams;
  readonly body: string;
}

/** Below the API's base, but for what has a place of its own. */
export function routePath({ path }: Pick<Operation, "path">): string {
  return path.startsWith("/_weir/") ? path : API_BASE + path;
}

export function maxBodyBytes({ maxBodyBytes: most = MAX_BODY_BYTES }: Pick<Operation, "maxBodyBytes">): number {
  return most;
}

const nothing = z.strictObject({});

/** A route gives back its result, or a response that says why not. */
export function operation<
  Result extends z.ZodType,
  Params extends z.ZodType = typeof nothing,
  Query extends z.ZodType = typeof nothing,
  Body extends z.ZodType = typeof nothing,
>(
  shape: Shape<Params, Query, Body, Result>,
  act: (call: Call<z.output<Params>, z.output<Query>, z.output<Body>>) => Promise<z.input<Result> | Response>,
): Operation {
  const { params = nothing, query = nothing, body = nothing } = shape;
  return {
    ...shape,
    prepare(given) {
      const search = singleValues(given.search);
      if (search instanceof Response) return search;
      const json = parseJson(given.body);
      if (json === undefined) return problem(400, "The body is not JSON");
      const parsed = [params.safeParse(given.params), query.safeParse(search), body.safeParse(json.value)] as const;
      const [parsedParams, parsedQuery, parsedBody] = parsed;
      if (!parsedParams.success) return badRequest(parsedParams.error);
      if (!parsedQuery.success) return badRequest(parsedQuery.error);
      if (!parsedBody.success) return badRequest(parsedBody.error);
      // oxlint-disable typescript/no-unsafe-type-assertion -- the schemas that were left out are `nothing`, whose type is the default
      const checked = {
        params: parsedParams.data as z.output<Params>,
        query: parsedQuery.data as z.output<Query>,
        body: parsedBody.data as z.output<Body>,
      };
      // oxlint-enable typescript/no-unsafe-type-assertion
      return (site) => act({ ...site, ...checked });
    },
  };
}

function singleValues(search: URLSearchParams): Readonly<Record<string, string>> | Response {
  const names = [...search.keys()];
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  return repeated === undefined
    ? Object.fromEntries(search)
    : problem(400, `${repeated.slice(0, 64)}: given more than once`);
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: text === "" ? {} : JSON.parse(text) };
  } catch {
    return undefined;
  }
}
