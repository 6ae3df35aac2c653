/**
 * Pages that were made whole elsewhere (`prepare.ts`, which a Worker need not carry), checked before they are taken: only
 * known variables, within the bounds, and HTML only under exactly the policy that lets nothing in but its own styles.
 */
import * as z from "zod";
import type { PageTemplate } from "../model.ts";
import { BOUNDS } from "../schema-parts.ts";
import { type PageSource, templateName } from "./files.ts";
import type { PreparedPage } from "./prepare.ts";
import { PAGE_VARIABLES } from "./vocabulary.ts";

const STRICT_POLICY =
  /^default-src 'none';( style-src( 'sha256-[A-Za-z0-9+/]{43}='){1,100};)? img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/;
const VARIABLES: readonly string[] = PAGE_VARIABLES;
const MAX_TEMPLATES = 500;

export const preparedTemplate = z
  .strictObject({
    parts: z.array(z.string().max(BOUNDS.pageBytes)).min(1).max(10_001),
    contentSecurityPolicy: z.string().regex(STRICT_POLICY, "must be the policy of a prepared page").exactOptional(),
  })
  .refine(({ parts }) => parts.length % 2 === 1, "parts must begin and end with a text")
  .refine(
    ({ parts }) => parts.every((part, index) => index % 2 === 0 || VARIABLES.includes(part)),
    `variables must be among ${PAGE_VARIABLES.join(", ")}`,
  );

/** By name of the template: `outage.html as text/html`. */
export const preparedTemplates = z
  .record(z.string().max(600), preparedTemplate)
  .refine((templates) => Object.keys(templates).length <= MAX_TEMPLATES, `at most ${MAX_TEMPLATES} pages`);

/** For `loadConfig`: what a config names is looked up among `templates`. */
export function preparedPages(templates: Readonly<Record<string, PageTemplate>>): PageSource {
  const paths = new Set(Object.keys(templates).map((name) => name.slice(0, name.lastIndexOf(" as "))));
  return {
    readPage: async (path) => (paths.has(path) ? "" : undefined),
    preparePage: async ({ path, mediaType }): Promise<PreparedPage> => {
      const name = templateName(mediaType, path);
      const template = Object.hasOwn(templates, name) ? templates[name] : undefined;
      if (template === undefined) return { ok: false, problems: [`there is no prepared page "${name}"`] };
      if (mediaType === "text/html" && template.contentSecurityPolicy === undefined) {
        return { ok: false, problems: [`"${name}" has no security policy`] };
      }
      const bytes = template.parts.join("").length;
      if (bytes > BOUNDS.pageBytes) return { ok: false, problems: [`"${name}" has ${bytes} characters`] };
      return { ok: true, template };
    },
  };
}
