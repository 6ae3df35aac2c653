/** Questions of the admin API to the Monitor object, under the deadline that all of its calls have. */
import type { Env } from "../platform/bindings.ts";
import { type Argument, callCoordinator, type Method, type Reply, withDeadline } from "../platform/coordinators.ts";
import { MONITOR_OBJECT } from "../protocol/monitor.ts";
import { COORDINATOR_DEADLINE_MS } from "./reply.ts";

export function askMonitor<M extends Method<"MONITOR">>(
  env: Env,
  method: M,
  argument: Argument<"MONITOR", M>,
): Promise<Reply<"MONITOR", M>> {
  return withDeadline(callCoordinator(env, "MONITOR", MONITOR_OBJECT, method, argument), COORDINATOR_DEADLINE_MS);
}
