/**
 * What changes between two config files, in the file's own words: by path, with what stood there and what stands there
 * now. Comments and order of keys do not count; routes are told apart by their ids, and their order is a change of its own.
 */
import { parse } from "jsonc-parser";
import microdiff from "microdiff";
import type { PageTemplate } from "./model.ts";

export interface ConfigSide {
  /** Of the file. */
  readonly text: string;
  /** Name of a page -> what it is recognised by. */
  readonly pages: Readonly<Record<string, string>>;
}

export interface ConfigChange {
  readonly path: string;
  readonly kind: "added" | "removed" | "changed";
  readonly before?: unknown;
  readonly after?: unknown;
}

const KINDS = { CREATE: "added", REMOVE: "removed", CHANGE: "changed" } as const;

export function diffConfigs(before: ConfigSide, after: ConfigSide): readonly ConfigChange[] {
  const changes = microdiff(comparable(before.text), comparable(after.text), { cyclesFix: false });
  const files = changes.map((change): ConfigChange => {
    const path = change.path.join(".");
    switch (change.type) {
      case "CREATE":
        return { path, kind: KINDS.CREATE, after: change.value };
      case "REMOVE":
        return { path, kind: KINDS.REMOVE, before: change.oldValue };
      case "CHANGE":
        return { path, kind: KINDS.CHANGE, before: change.oldValue, after: change.value };
    }
  });
  const pages = microdiff({ ...before.pages }, { ...after.pages }).map(({ type, path }): ConfigChange => ({
    path: `page ${path.join(".")}`,
    kind: KINDS[type],
  }));
  return [...files, ...pages];
}

/** `$schema` says nothing. */
function comparable(text: string): Record<string, unknown> {
  const file: unknown = parse(text, [], { allowTrailingComma: true });
  if (typeof file !== "object" || file === null || Array.isArray(file)) return {};
  const { $schema: _schema, ...rest }: Record<string, unknown> = { ...file };
  const { routes } = rest;
  if (!Array.isArray(routes)) return rest;
  const list: readonly unknown[] = routes;
  const ids = list.map((route, index) => idOf(route) ?? String(index));
  return {
    ...rest,
    routes: Object.fromEntries(list.map((route, index) => [ids[index], route])),
    "order of routes": ids.join(", "),
  };
}

function idOf(route: unknown): string | undefined {
  return typeof route === "object" && route !== null && "id" in route && typeof route.id === "string"
    ? route.id
    : undefined;
}

/** SHA-256 of each page. */
export async function pageHashes(templates: Readonly<Record<string, PageTemplate>>): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const [name, template] of Object.entries(templates)) {
    const text = JSON.stringify([template.parts, template.contentSecurityPolicy ?? ""]);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    hashes[name] = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  return hashes;
}
