/** One isolate's door: the admin API under `/_weir/`, the gateway for everything else. Always an answer. */
import { Admin, isAdminRequest } from "./admin/admin.ts";
import type { Config } from "./config/model.ts";
import { Edge } from "./edge/edge.ts";
import { lastResort } from "./edge/last-resort.ts";
import { handle } from "./edge/pipeline.ts";
import type { Env } from "./platform/bindings.ts";
import { logError } from "./platform/log.ts";

export interface Front {
  readonly edge: Edge;
  readonly admin: Admin;
}

export function newFront(edge: Edge): Front {
  return { edge, admin: new Admin(edge) };
}

/** `text`: the file that the config was made of, for its history. */
export function newEdge(config: Config, request: Request, env: Env, text?: string): Edge {
  const colo = request.cf?.["colo"];
  return new Edge(config, env.WEIR_POP ?? (typeof colo === "string" ? colo : "unknown"), text);
}

/** `front` may throw or reject: then, too, the last rung answers. A promise only where something is waited for. */
export function answerWith(
  front: (request: Request, env: Env) => Front | Promise<Front>,
  request: Request,
  env: Env,
  context: ExecutionContext,
): Response | Promise<Response> {
  try {
    const made = front(request, env);
    const answer =
      made instanceof Promise
        ? made.then((late) => answerAt(late, request, env, context))
        : answerAt(made, request, env, context);
    return answer instanceof Promise ? answer.catch((error: unknown) => answerLast(request, error)) : answer;
  } catch (error) {
    return answerLast(request, error);
  }
}

function answerAt(
  { edge, admin }: Front,
  request: Request,
  env: Env,
  context: ExecutionContext,
): Response | Promise<Response> {
  const { url } = request;
  const answer = (): Response | Promise<Response> =>
    isAdminRequest(url, env) ? admin.handle(request, env, context) : handle(edge, request, env, context, url);
  const starting = edge.config.beforeRequest(env, context);
  return starting === undefined ? answer() : starting.then(answer);
}

function answerLast(request: Request, error: unknown): Response {
  logError({ where: "worker", error: String(error) });
  return lastResort("", request.headers.get("accept"));
}
