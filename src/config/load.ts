/**
 * Text of `weir.jsonc` → the normalised config, or every problem at once: where it is, what was found, what would be
 * valid. File access is the caller's, so that the same code runs on Node and in the Worker.
 */
import {
  createScanner,
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import type { z } from "zod";
import { sha256Hex } from "../http/digest.ts";
import { checkConfig, checkSense, type Finding } from "./checks.ts";
import type { Config } from "./model.ts";
import { normalise } from "./normalise.ts";
import { type PageSource, readPages } from "./pages/files.ts";
import { type ConfigFile, configSchema } from "./schema.ts";
import { BOUNDS } from "./schema-parts.ts";

export interface Problem {
  /** `plans.free.limits.requests.rate`, "" for the whole file. */
  readonly path: string;
  readonly message: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface LoadedConfig {
  readonly ok: true;
  readonly config: Config;
  /** Of the file. */
  readonly text: string;
  readonly warnings: readonly Problem[];
}

interface Refused {
  readonly ok: false;
  readonly problems: readonly Problem[];
}

export type LoadResult = LoadedConfig | Refused;

export interface LoadOptions extends PageSource {
  readonly configVersion: number;
  /** Default: what a gateway needs. */
  readonly schema?: typeof configSchema;
}

const FORBIDDEN_KEYS: readonly string[] = ["__proto__", "constructor", "prototype"];
const MAX_PROBLEMS = 100;
/** Ten times what a config can use; the parser goes into each level by a call of its own. */
const MAX_DEPTH = 100;
const BYTE_ORDER_MARK = "\uFEFF";

export async function loadConfig(fileText: string, options: LoadOptions): Promise<LoadResult> {
  const text = fileText.startsWith(BYTE_ORDER_MARK) ? fileText.slice(1) : fileText;
  const parsed = parseConfig(text, options.schema ?? configSchema);
  if (!parsed.ok) return parsed;
  const { tree, file } = parsed;
  const pages = await readPages(file, options);
  const findings = [...checkConfig(file), ...pages.findings];
  if (findings.length > 0) return refused(text, locate(tree, findings));

  const content = normalise(file, pages);
  return {
    ok: true,
    config: { configVersion: options.configVersion, hash: await sha256Hex(JSON.stringify(content)), ...content },
    text,
    warnings: toProblems(text, locate(tree, checkSense(file))),
  };
}

/** What can be said without its pages, at once: undefined, or every problem. */
export function findProblems(text: string, schema: typeof configSchema): readonly Problem[] | undefined {
  const parsed = parseConfig(text, schema);
  if (!parsed.ok) return parsed.problems;
  const findings = checkConfig(parsed.file);
  return findings.length === 0 ? undefined : toProblems(text, locate(parsed.tree, findings));
}

type Parsed = { readonly ok: true; readonly tree: Node; readonly file: ConfigFile } | Refused;

function parseConfig(text: string, schema: typeof configSchema): Parsed {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes >= BOUNDS.fileBytes) {
    return refused(text, [
      { offset: 0, path: [], message: `the file has ${bytes} bytes; it must be smaller than ${BOUNDS.fileBytes}` },
    ]);
  }
  const tooDeepAt = offsetBeyondDepth(text);
  if (tooDeepAt !== undefined) {
    return refused(text, [{ offset: tooDeepAt, path: [], message: `is nested more than ${MAX_DEPTH} deep` }]);
  }
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  if (errors.length > 0 || tree === undefined) {
    return refused(text, syntaxFindings(text, errors));
  }
  const keys = keyFindings(tree);
  if (keys.length > 0) return refused(text, keys);

  const parsed = schema.safeParse(getNodeValue(tree));
  if (!parsed.success) return refused(text, locate(tree, parsed.error.issues.flatMap(issueFindings)));
  return { ok: true, tree, file: parsed.data };
}

/** Where the text is nested too deeply; undefined: nowhere. */
function offsetBeyondDepth(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (scanner.scan(); scanner.getTokenOffset() < text.length; scanner.scan()) {
    const first = text.charAt(scanner.getTokenOffset());
    if (first === "{" || first === "[") depth++;
    else if (first === "}" || first === "]") depth--;
    if (depth > MAX_DEPTH) return scanner.getTokenOffset();
  }
  return undefined;
}

/** One line for people: `weir.jsonc:3:7 plans.free: message`. */
export function formatProblem(fileName: string, problem: Problem): string {
  const where = problem.path === "" ? "" : ` ${problem.path}:`;
  return `${fileName}:${problem.line}:${problem.column}${where} ${problem.message}`;
}

interface LocatedFinding extends Finding {
  readonly offset: number;
}

function refused(text: string, findings: readonly LocatedFinding[]): Refused {
  return { ok: false, problems: toProblems(text, findings) };
}

function toProblems(text: string, findings: readonly LocatedFinding[]): Problem[] {
  return findings.slice(0, MAX_PROBLEMS).map(({ offset, path, message }): Problem => {
    const before = text.slice(0, offset).split("\n");
    return { path: path.join("."), message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  });
}

function syntaxFindings(text: string, errors: readonly ParseError[]): LocatedFinding[] {
  if (text.trim() === "") return [{ offset: 0, path: [], message: "the file is blank" }];
  return errors.slice(0, MAX_PROBLEMS).map(({ error, offset, length }) => ({
    offset,
    path: [],
    message: `broken JSON: ${words(printParseErrorCode(error))}, found ${JSON.stringify(text.slice(offset, offset + Math.max(length, 1)))}`,
  }));
}

/** "CommaExpected" -> "comma expected" */
function words(code: string): string {
  return code.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

/** Keys that come twice (the parser would silently take the last), and keys that would change prototypes. */
function keyFindings(root: Node): LocatedFinding[] {
  const findings: LocatedFinding[] = [];
  // Of the node being visited; copied only where something is found.
  const path: (string | number)[] = [];
  const visitAt = (node: Node, step: string | number): void => {
    path.push(step);
    visit(node);
    path.pop();
  };
  const visit = (node: Node): void => {
    if (node.type === "array") for (const [index, item] of (node.children ?? []).entries()) visitAt(item, index);
    if (node.type !== "object") return;
    const seen = new Set<string>();
    for (const property of node.children ?? []) {
      const [keyNode, value] = property.children ?? [];
      const key: unknown = keyNode?.value;
      if (keyNode === undefined || typeof key !== "string") continue;
      if (FORBIDDEN_KEYS.includes(key))
        findings.push({ offset: keyNode.offset, path: [...path, key], message: "this key is not allowed" });
      else if (seen.has(key))
        findings.push({ offset: keyNode.offset, path: [...path, key], message: "this key comes twice" });
      seen.add(key);
      if (value?.children !== undefined) visitAt(value, key);
    }
  };
  visit(root);
  return findings;
}

function issueFindings(issue: z.core.$ZodIssue): Finding[] {
  const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ path: [...path, key], message: issue.message }));
  if (issue.code === "invalid_key") {
    return [{ path, message: `this name ${issue.issues.map((inner) => inner.message).join("; ")}` }];
  }
  return [{ path, message: issue.message }];
}

function locate(tree: Node, findings: readonly Finding[]): LocatedFinding[] {
  return findings.map((finding) => {
    let node: Node | undefined;
    for (let length = finding.path.length; node === undefined && length >= 0; length--) {
      node = findNodeAtLocation(tree, finding.path.slice(0, length));
    }
    const value =
      node !== undefined && isScalar(node) ? `; found ${JSON.stringify(getNodeValue(node)).slice(0, 100)}` : "";
    return { ...finding, message: finding.message + value, offset: node?.offset ?? 0 };
  });
}

function isScalar(node: Node): boolean {
  return node.type === "string" || node.type === "number" || node.type === "boolean" || node.type === "null";
}
