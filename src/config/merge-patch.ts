/**
 * A JSON merge patch (RFC 7396) on the text of a config: objects are merged, null removes, everything else replaces, lists
 * as a whole. The text is edited where it changes, so its comments and its order stay. What comes out is not checked.
 */
import {
  applyEdits,
  findNodeAtLocation,
  getNodeValue,
  modify,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";

const FORMAT = { formattingOptions: { insertSpaces: true, tabSize: 2 } };
const LENIENT = { allowTrailingComma: true };

type Path = readonly string[];
type Patched = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

export function mergePatch(text: string, patchText: string): Patched {
  const errors: ParseError[] = [];
  const patch = parseTree(patchText, errors, LENIENT);
  const [error] = errors;
  if (error !== undefined) {
    return { ok: false, problem: `broken JSON at character ${error.offset}: ${printParseErrorCode(error.error)}` };
  }
  if (patch?.type !== "object") return { ok: false, problem: "a patch of a config must be an object" };
  let patched = text;
  for (const { path, value } of changesOf(patch, parseTree(text, [], LENIENT), [])) {
    patched = applyEdits(patched, modify(patched, [...path], value, FORMAT));
  }
  return { ok: true, text: patched };
}

interface Change {
  readonly path: Path;
  /** Undefined: the member is removed. */
  readonly value: unknown;
}

function changesOf(patch: Node, target: Node | undefined, path: Path): Change[] {
  return membersOf(patch).flatMap(([name, value]) => {
    const at = [...path, name];
    const there = target === undefined ? undefined : findNodeAtLocation(target, [name]);
    if (value.type === "null") return there === undefined ? [] : [{ path: at, value: undefined }];
    if (value.type !== "object") return [{ path: at, value: getNodeValue(value) as unknown }];
    return there?.type === "object" ? changesOf(value, there, at) : [{ path: at, value: withoutNulls(value) }];
  });
}

/** Names with their values; two of one name are refused when the whole is checked. */
function membersOf({ children = [] }: Node): [string, Node][] {
  return children.flatMap(({ children: pair = [] }): [string, Node][] => {
    const [name, value] = pair;
    return name === undefined || value === undefined ? [] : [[String(name.value), value]];
  });
}

/** Where there was no object, there is nothing to remove. A list is taken as it is. */
function withoutNulls(node: Node): unknown {
  if (node.type !== "object") return getNodeValue(node);
  return Object.fromEntries(
    membersOf(node).flatMap(([name, value]) => (value.type === "null" ? [] : [[name, withoutNulls(value)]])),
  );
}
