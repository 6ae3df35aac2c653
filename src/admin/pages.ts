/** Previews of pages: what a caller of a route would get. */
import { preview } from "../edge/preview.ts";
import { pagePreview, previewQuery, routeParams } from "./contract/pages.ts";
import { routeOf } from "./lookup.ts";
import { operation } from "./operation.ts";

const previewPage = operation(
  {
    id: "previewPage",
    method: "GET",
    path: "/pages/{route}/preview",
    tag: "Pages",
    summary: "Preview a page",
    description: "What a caller of the route would get in a given state. Touches no state.",
    params: routeParams,
    query: previewQuery,
    result: pagePreview,
    refusals: { 404: "There is no such route." },
  },
  async (call) => {
    const route = routeOf(call, call.params.route);
    if (route instanceof Response) return route;
    const { state, accept, lang } = call.query;
    const answer = preview(call.tables, call.env, call.nowMs, route, {
      state,
      headers: { accept, ...(lang === undefined ? {} : { "accept-language": lang }) },
    });
    const { status, headers } = answer;
    return { route: route.id, state, status, headers: Object.fromEntries(headers), body: await answer.text() };
  },
);

export const pageOperations = [previewPage];
