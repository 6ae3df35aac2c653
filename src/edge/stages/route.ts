/** route: method, host and path to one route, by the compiled table. */
import type { Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { refuse } from "../refuse.ts";

export function route(_edge: Edge, x: Exchange): StageAnswer {
  if (x.url === undefined) return undefined;
  const { host, path } = x.url;
  x.route = x.tables.matchRoute(x.method, host, path);
  if (x.route !== undefined) return undefined;
  const allowed = x.tables.allowedMethods(host, path);
  if (allowed.length === 0) return refuse(x, "no-route");
  const answer = refuse(x, "method-not-allowed");
  answer.headers.set("allow", [...new Set(allowed)].join(", "));
  return answer;
}
