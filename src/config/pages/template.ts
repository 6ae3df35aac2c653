/** Template text (mustache, only `{{name}}` and comments) → parts, or what is wrong and where. */
import mustache from "mustache";
import { suggest } from "../suggest.ts";
import { PAGE_VARIABLES } from "./vocabulary.ts";

/** Something in a page's file. */
export interface PageFinding {
  readonly offset: number;
  readonly message: string;
}

interface Token {
  readonly kind: string;
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

export interface Variable {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** What a template is made of; findings where it may not be so. */
export function readTemplate(text: string): { readonly variables: readonly Variable[]; findings: PageFinding[] } {
  const read = tokens(text);
  if (!Array.isArray(read)) return { variables: [], findings: [read] };
  const findings = read.flatMap((token): PageFinding[] => {
    const message = problemOf(token);
    return message === undefined ? [] : [{ offset: token.start, message }];
  });
  const variables = read.filter(({ kind }) => kind === "name");
  return { variables: variables.map(({ value, start, end }) => ({ name: value, start, end })), findings };
}

/** Of a text that `readTemplate` found nothing in: literal text and names of variables by turns. */
export function templateParts(text: string): string[] {
  const parts = [""];
  const read = tokens(text);
  if (!Array.isArray(read)) throw new TypeError(`a template was not checked: ${read.message}`);
  for (const { kind, value } of read) {
    if (kind === "name") parts.push(value, "");
    else if (kind === "text") parts[parts.length - 1] += value;
  }
  return parts;
}

function tokens(text: string): Token[] | PageFinding {
  let parsed: readonly (readonly unknown[])[];
  try {
    parsed = mustache.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const offset = Number(/ at (\d+)$/.exec(message)?.[1] ?? 0);
    return { offset, message: `is no valid template: ${message.replace(/ at \d+$/, "")}` };
  }
  return parsed.map(([kind, value, start, end]) => ({
    kind: String(kind),
    value: String(value),
    start: Number(start),
    end: Number(end),
  }));
}

function problemOf({ kind, value }: Token): string | undefined {
  if (kind === "text" || kind === "!") return undefined;
  if (kind === "&") return `uses an unescaped {{{${value}}}}; write {{${value}}}, which is escaped`;
  if (kind !== "name") return `uses a section, partial or other delimiters ("${value}"); only {{name}} is allowed`;
  const known: readonly string[] = PAGE_VARIABLES;
  return known.includes(value) ? undefined : `uses unknown variable "${value}"${suggest(value, known)}`;
}
