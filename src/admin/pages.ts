/** Previews of pages: what a caller of a route would get. */
import * as z from "zod";
import type { CompiledRoute } from "../config/tables.ts";
import { PAGE_LANGUAGES, PREVIEW_STATES, type PreviewState } from "../config/pages/vocabulary.ts";
import { preview } from "../edge/preview.ts";
import { pagePreview, pagesReply, previewQuery, routeParams, showQuery } from "./contract/pages.ts";
import { routeOf } from "./lookup.ts";
import { type CallSite, operation } from "./operation.ts";

const listPages = operation(
  {
    id: "listPages",
    method: "GET",
    path: "/pages",
    tag: "Pages",
    summary: "List the routes, and what can be previewed of them",
    result: pagesReply,
  },
  ({ tables }) =>
    Promise.resolve({
      routes: tables.config.routes.map(({ id, origin, path }) => ({ route: id, origin, path })),
      states: PREVIEW_STATES,
      languages: PAGE_LANGUAGES,
    }),
);

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
    const answer = shown(call, route, state, accept, lang);
    const { status, headers } = answer;
    return { route: route.id, state, status, headers: Object.fromEntries(headers), body: await answer.text() };
  },
);

/** Beside what the page says of itself: no script, no origin, and a frame of our own dashboard only. */
const FRAMED = "frame-ancestors 'self'; sandbox";

const showPage = operation(
  {
    id: "showPage",
    method: "GET",
    path: "/pages/{route}/document",
    tag: "Pages",
    summary: "Show a page in a frame of the dashboard",
    description: "The preview as HTML itself, under its own policy, and sandboxed.",
    params: routeParams,
    query: showQuery,
    result: z.string(),
    contentType: "text/html; charset=utf-8",
    refusals: { 404: "There is no such route." },
  },
  async (call) => {
    const route = routeOf(call, call.params.route);
    if (route instanceof Response) return route;
    const page = shown(call, route, call.query.state, "text/html", call.query.lang);
    const policy = page.headers.get("content-security-policy") ?? "default-src 'none'";
    const own = policy.replace(/;? *frame-ancestors [^;]*/, "");
    call.answer.headers.set("content-security-policy", `${own}; ${FRAMED}`);
    call.answer.headers.set("x-frame-options", "SAMEORIGIN");
    return page.text();
  },
);

export const pageOperations = [listPages, previewPage, showPage];

function shown(
  { tables, env, nowMs }: CallSite,
  route: CompiledRoute,
  state: PreviewState,
  accept: string,
  lang: string | undefined,
): Response {
  const headers = { accept, ...(lang === undefined ? {} : { "accept-language": lang }) };
  return preview(tables, env, nowMs, route, { state, headers });
}
