/** Health, without a token: that it lives, and whether it can do its work. */
import type { Tables } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { isMissing, secretsFor, secretsMissing } from "./secrets.ts";

/** Undefined: the path is not about health. */
export function health(path: string, env: Env, tables: Tables): Response | undefined {
  switch (path) {
    case "/_weir/livez":
      return new Response("ok\n");
    case "/_weir/readyz": {
      const missing = secretsFor(tables).filter((name) => isMissing(env, name));
      return missing.length === 0 ? new Response("ok\n") : secretsMissing(missing);
    }
    default:
      return undefined;
  }
}
