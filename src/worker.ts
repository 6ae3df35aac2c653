/** The Worker's face: the entry point and the Durable Objects it exports. No logic. */
import bundledConfig, { bundledText } from "#bundled-config";
import { answerWith, type Front, newEdge, newFront } from "./front.ts";
import type { Env, WorkerEnv } from "./platform/bindings.ts";

export { Control, Metrics, Monitor, Origin, Tenant, TenantIndex } from "./objects.ts";

/** The isolate's one piece of state, made on the first request. */
let front: Front | undefined;

export default {
  fetch: (request, env, context) => answerWith(isolate, request, env, context),
} satisfies ExportedHandler<WorkerEnv>;

function isolate(request: Request, env: Env): Front {
  return (front ??= newFront(newEdge(bundledConfig, request, env, bundledText)));
}
