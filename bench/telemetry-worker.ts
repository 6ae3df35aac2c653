/**
 * The Worker, with its telemetry on and off by turns of TURN_MS by the clock, in one isolate; `/turns` says how many
 * requests began in each turn. Even turns count.
 */
import worker from "../src/worker.ts";
import type { WorkerEnv } from "../src/platform/bindings.ts";
import { TURN_MS, TURNS_PATH } from "./telemetry-turns.ts";

export { Control, Metrics, Monitor, Origin, Tenant, TenantIndex } from "../src/worker.ts";

/** Turn -> requests; a bench lasts for minutes at most. */
const requests = new Map<number, number>();
let sides: readonly [WorkerEnv, WorkerEnv] | undefined;

export default {
  fetch: (request, env, context) => {
    if (request.url.endsWith(TURNS_PATH)) return Response.json([...requests]);
    sides ??= [{ ...env }, withoutMetrics(env)];
    const turn = Math.floor(Date.now() / TURN_MS);
    requests.set(turn, (requests.get(turn) ?? 0) + 1);
    return worker.fetch(request, sides[turn % 2 === 0 ? 0 : 1], context);
  },
} satisfies ExportedHandler<WorkerEnv>;

function withoutMetrics(env: WorkerEnv): WorkerEnv {
  const { METRICS: _metrics, ...rest } = env;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the Worker can do without, which is what is measured
  return rest as WorkerEnv;
}
