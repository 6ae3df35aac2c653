/** Previews of pages. */
import * as z from "zod";
import { PAGE_LANGUAGES, PREVIEW_STATES } from "../../config/pages/vocabulary.ts";

export const routeParams = z.strictObject({ route: z.string().min(1).max(64).describe("Route id.") });

export const previewQuery = z.strictObject({
  state: z.enum(PREVIEW_STATES).default("open"),
  accept: z.string().max(1_000).default("text/html").describe("As a client would send it."),
  lang: z.string().max(1_000).optional().describe("Accept-Language, as a client would send it."),
});

export const pagesReply = z
  .object({
    routes: z.array(z.object({ route: z.string(), origin: z.string(), path: z.string() }).readonly()).readonly(),
    states: z.array(z.enum(PREVIEW_STATES)).readonly().describe("What can be previewed."),
    languages: z.array(z.enum(PAGE_LANGUAGES)).readonly().describe("Of the built-in texts."),
  })
  .readonly();
export type PagesReply = z.infer<typeof pagesReply>;

export const showQuery = previewQuery.omit({ accept: true });

/** What a caller of the route would get; times that only the state knows are samples. */
export const pagePreview = z
  .object({
    route: z.string(),
    state: z.enum(PREVIEW_STATES),
    status: z.number().int(),
    headers: z.record(z.string(), z.string()).readonly(),
    body: z.string(),
  })
  .readonly();
export type PagePreview = z.infer<typeof pagePreview>;
