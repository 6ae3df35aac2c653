/** The API's reference for people, made from its OpenAPI document: one page, no script, nothing from elsewhere. */
import { sha256Base64 } from "../http/digest.ts";
import { isSchema, propertiesOf, requiredOf } from "./openapi.ts";
import type { ApiDocument, DocumentedOperation, JsonSchema } from "./openapi-types.ts";

const STYLE = `:root{color-scheme:light dark;--ground:#f6f7f9;--sheet:#fff;--line:#d9dee6;--text:#1b2028;--quiet:#545d6c;--accent:#1c5bb8}
@media (prefers-color-scheme:dark){:root{--ground:#101419;--sheet:#181e26;--line:#2c3541;--text:#edf1f6;--quiet:#a7b1c0;--accent:#8ab8ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.5rem;background:var(--ground);color:var(--text);font:1rem/1.6 system-ui,sans-serif;overflow-wrap:anywhere}
a{color:var(--accent)}
a:focus-visible,summary:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
h1{margin:0 0 .5rem}h2{margin:2.5rem 0 .75rem}h3{margin:0;font-size:1.1rem}h4{margin:1rem 0 .25rem;font-size:.9rem}
section article{margin:0 0 1rem;padding:1rem 1.25rem;background:var(--sheet);border:1px solid var(--line);border-radius:.75rem;scroll-margin-top:1rem}
article:target{border-color:var(--accent)}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.875rem}
pre{margin:.25rem 0;padding:.75rem;overflow-x:auto;background:var(--ground);border:1px solid var(--line);border-radius:.5rem}
.way{margin:.25rem 0}.quiet{color:var(--quiet)}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-size:.9rem}
th,td{padding:.35rem .5rem .35rem 0;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
nav ul{columns:14rem;padding-left:1.1rem}`;

export interface Page {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

export async function referencePage(document: ApiDocument, documentPath: string): Promise<Page> {
  const { info, tags, paths } = document;
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const sections = tags.map(({ name }) => {
    const own = all.filter(({ operation }) => operation.tags[0] === name);
    return `<section aria-labelledby="${anchor(name)}"><h2 id="${anchor(name)}">${escaped(name)}</h2>${own.map(article).join("")}</section>`;
  });
  const links = all.map(
    ({ operation }) => `<li><a href="#${anchor(operation.operationId)}">${escaped(operation.summary)}</a></li>`,
  );
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(info.title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escaped(info.title)}</h1>${paragraphs(info.description)}
<p>For programs: <a href="${escaped(documentPath)}">the OpenAPI document</a>.</p></header>
<nav aria-label="Operations"><ul>${links.join("")}</ul></nav>
<main>${sections.join("\n")}</main>
</body>
</html>
`;
  const hash = await sha256Base64(STYLE);
  const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return { html, contentSecurityPolicy };
}

interface Shown {
  readonly path: string;
  readonly method: string;
  readonly operation: DocumentedOperation;
}

function article({ path, method, operation }: Shown): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const content = requestBody?.content["application/json"];
  const parts = [
    `<h3><a href="#${anchor(operationId)}">${escaped(summary)}</a></h3>`,
    `<p class="way"><code>${escaped(method)} ${escaped(path)}</code> <span class="quiet">${escaped(operationId)}${operation["x-weir-audited"] ? ", in the audit" : ""}</span></p>`,
    paragraphs(description),
    table(
      "Parameters",
      ["Name", "In", "What"],
      parameters.map((parameter) => [
        nameCell(parameter.name, parameter.required),
        escaped(parameter.in),
        typeCell({ ...parameter.schema, description: parameter.description }),
      ]),
    ),
    content === undefined ? "" : fields("Body", content.schema),
    content?.example === undefined ? "" : example(method, path, content.example),
    table(
      "Answers",
      ["Status", "When"],
      Object.entries(responses).map(([status, response]) => [escaped(status), inlined(response.description)]),
    ),
    ...Object.values(responses).flatMap(({ content: answered = {} }) => {
      const schema = answered["application/json"]?.schema;
      return schema === undefined ? [] : [`<details><summary>What it gives</summary>${fields("", schema)}</details>`];
    }),
  ];
  return `<article id="${anchor(operationId)}">${parts.join("\n")}</article>`;
}

function fields(title: string, schema: JsonSchema): string {
  const { anyOf } = schema;
  if (Array.isArray(anyOf)) return anyOf.map((one) => (isSchema(one) ? fields(title, one) : "")).join("");
  const required = requiredOf(schema);
  const rows = Object.entries(propertiesOf(schema)).map(([name, property]) => [
    nameCell(name, required.includes(name)),
    typeCell(property),
  ]);
  return table(title, ["Field", "What"], rows);
}

function example(method: string, path: string, body: unknown): string {
  const text = [
    `${method} ${path}`,
    "Authorization: Bearer …",
    "Content-Type: application/json",
    "",
    JSON.stringify(body, null, 2),
  ];
  return `<h4>Example</h4><pre><code>${escaped(text.join("\n"))}</code></pre>`;
}

function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const head = heads.map((name) => `<th scope="col">${escaped(name)}</th>`).join("");
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("");
  const heading = title === "" ? "" : `<h4>${escaped(title)}</h4>`;
  return `${heading}<div class="scroll" tabindex="0" role="group" aria-label="${escaped(title === "" ? "Fields" : title)}"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function nameCell(name: string, required: boolean): string {
  return `<code>${escaped(name)}</code>${required ? "" : ' <span class="quiet">optional</span>'}`;
}

/** Type, then what is said about it, then what it may be. */
function typeCell(schema: JsonSchema): string {
  const { description, default: preset, examples, minimum, maximum } = schema;
  const said = typeof description === "string" ? description : "";
  const notes = [
    inlined(said),
    preset === undefined || said.includes("Default") ? "" : `Default <code>${escaped(JSON.stringify(preset))}</code>.`,
    typeof minimum === "number" &&
    typeof maximum === "number" &&
    maximum < Number.MAX_SAFE_INTEGER &&
    !said.includes(" to ")
      ? `${minimum} to ${maximum}.`
      : "",
    Array.isArray(examples) ? `For example <code>${escaped(JSON.stringify(examples[0]))}</code>.` : "",
  ];
  return `<span class="quiet">${escaped(typeOf(schema))}</span> ${notes.filter((note) => note !== "").join(" ")}`;
}

function typeOf(schema: JsonSchema): string {
  const { type, enum: values, const: only, anyOf, items } = schema;
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" | ");
  if (Array.isArray(anyOf)) return anyOf.map((one) => (isSchema(one) ? typeOf(one) : "")).join(" | ");
  if (type === "array" && isSchema(items)) return `${typeOf(items)}[]`;
  return typeof type === "string" ? type : "any";
}

function paragraphs(text: string): string {
  return text
    .split("\n\n")
    .map((paragraph) => `<p>${inlined(paragraph)}</p>`)
    .join("");
}

/** `code` between backticks. */
function inlined(text: string): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
}

const anchor = (name: string): string => name.replaceAll(/[^A-Za-z0-9_-]/g, "-");

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
