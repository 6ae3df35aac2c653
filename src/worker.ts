/** The Worker's face: the entry point and the Durable Objects it exports. No logic. */
import bundledConfig, { bundledText } from "#bundled-config";
import { Admin, isAdminRequest } from "./admin/admin.ts";
import { Edge } from "./edge/edge.ts";
import { lastResort } from "./edge/last-resort.ts";
import { handle } from "./edge/pipeline.ts";
import type { Env } from "./platform/bindings.ts";
import { logError } from "./platform/log.ts";

export { Control } from "./coordinators/control/object.ts";
export { Metrics } from "./coordinators/metrics/object.ts";
export { Origin } from "./coordinators/origin/object.ts";
export { Tenant } from "./coordinators/tenant/object.ts";
export { TenantIndex } from "./coordinators/tenant-index/object.ts";

/** The isolate's one piece of state, made on the first request. */
let isolate: { readonly edge: Edge; readonly admin: Admin } | undefined;

export default {
  async fetch(request, env, context): Promise<Response> {
    try {
      isolate ??= begin(request, env);
      const starting = isolate.edge.config.beforeRequest(env, context);
      if (starting !== undefined) await starting;
      return isAdminRequest(request.url, env)
        ? await isolate.admin.handle(request, env, context)
        : await handle(isolate.edge, request, env, context);
    } catch (error) {
      logError({ where: "worker", error: String(error) });
      return lastResort("", request.headers.get("accept"));
    }
  },
} satisfies ExportedHandler<Env>;

function begin(request: Request, env: Env): { readonly edge: Edge; readonly admin: Admin } {
  const colo = request.cf?.["colo"];
  const pop = env.WEIR_POP ?? (typeof colo === "string" ? colo : "unknown");
  const edge = new Edge(bundledConfig, pop, bundledText);
  return { edge, admin: new Admin(edge) };
}
