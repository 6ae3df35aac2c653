/** Previews of pages: what a caller of a route would get. */
import type { CompiledRoute, Tables } from "../config/tables.ts";
import { preview } from "../edge/preview.ts";
import type { Env } from "../platform/bindings.ts";
import { type PagePreview, previewQuery } from "./contract.ts";
import { badRequest, unknown } from "./reply.ts";

export interface PreviewSite {
  readonly tables: Tables;
  readonly env: Env;
  readonly nowMs: number;
}

export async function previewPage(
  { tables, env, nowMs }: PreviewSite,
  routeId: string,
  query: Readonly<Record<string, string>>,
): Promise<PagePreview | Response> {
  const route = tables.routes.find(({ id }: CompiledRoute) => id === routeId);
  if (route === undefined) {
    return unknown(
      "route",
      routeId,
      tables.routes.map(({ id }) => id),
    );
  }
  const parsed = previewQuery.safeParse(query);
  if (!parsed.success) return badRequest(parsed.error);
  const { state, accept, lang } = parsed.data;
  const answer = preview(tables, env, nowMs, route, {
    state,
    headers: { accept, ...(lang === undefined ? {} : { "accept-language": lang }) },
  });
  return {
    route: route.id,
    state,
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body: await answer.text(),
  };
}
