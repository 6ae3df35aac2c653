/** What every admin route is given beside its request. */
import type { Context } from "hono";
import type { Tables } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";

export interface Variables {
  /** Those that everybody has. */
  readonly tables: Tables;
  readonly nowMs: number;
}

export type AdminContext = Context<{ Bindings: Env; Variables: Variables }>;
