/** Health, without a token: that it lives, and whether it can do its work. */
import type { Env } from "../platform/bindings.ts";
import { isMissing, secretsMissing } from "./secrets.ts";

/** Undefined: the path is not about health. */
export function health(path: string, env: Env): Response | undefined {
  switch (path) {
    case "/_weir/livez":
      return new Response("ok\n");
    case "/_weir/readyz": {
      const missing = (["WEIR_KEY_SECRET", "WEIR_ADMIN_TOKEN"] as const).filter((name) => isMissing(env, name));
      return missing.length === 0 ? new Response("ok\n") : secretsMissing(missing);
    }
    default:
      return undefined;
  }
}
