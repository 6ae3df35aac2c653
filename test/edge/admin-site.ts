/** What tests of the admin API share: one isolate with it, in front of real coordinators. */
import { env } from "cloudflare:workers";
import { createExecutionContext } from "cloudflare:test";
import { Admin } from "../../src/admin/admin.ts";
import type { CreatedToken } from "../../src/admin/contract.ts";
import type { ApiDocument, DocumentedOperation } from "../../src/admin/openapi-types.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Edge } from "../../src/edge/edge.ts";
import type { Env } from "../../src/platform/bindings.ts";

export const TOKEN = "test-admin-token-0123456789abcdef0123456";
export const API = "/_weir/api/v1";

export interface Listed {
  readonly id: string;
  readonly method: string;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly operation: DocumentedOperation;
}

/** The path with what there is: the tenant given, the origin, the route, and names that nothing has. */
export function filled(path: string, tenant = "acme"): string {
  return path
    .replace("{tenant}", tenant)
    .replace("{origin}", "app")
    .replace("{route}", "all")
    .replace("{limit}", "requests")
    .replace("{scope}/{id}", "origins/app")
    .replaceAll(/\{\w+\}/g, "0000000000000000");
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

export interface Ask extends Omit<RequestInit, "body"> {
  /** Default: the deployment's; null: none. */
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
  /** As JSON, but for text. */
  readonly body?: unknown;
  readonly from?: string;
  readonly origin?: string;
}

export class AdminSite {
  readonly edge: Edge;
  readonly admin: Admin;
  bindings: Env = env;

  private constructor(edge: Edge) {
    this.edge = edge;
    this.admin = new Admin(edge);
  }

  /** `file` replaces top-level keys of a small config. */
  static async make(file: Record<string, unknown> = {}): Promise<AdminSite> {
    const loaded = await loadConfig(
      JSON.stringify({
        version: 1,
        origins: { app: { url: "https://app.example" } },
        identity: [{ type: "anonymous", plan: "open" }],
        plans: { open: { limits: { requests: { rate: "5/s", burst: 10 } } } },
        tenants: { acme: { plan: "open" }, globex: { plan: "open" } },
        routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
        ...file,
      }),
      { configVersion: 1, readPage: async () => undefined },
    );
    if (!loaded.ok) throw new Error("config");
    return new AdminSite(new Edge(loaded.config, "test-pop"));
  }

  async ask(path: string, { token = TOKEN, headers, body, from, origin, ...init }: Ask = {}): Promise<Answer> {
    const request = new Request(`${origin ?? "https://gateway.example"}${path}`, {
      ...init,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(from === undefined ? {} : { "cf-connecting-ip": from }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const response = await this.admin.handle(request, this.bindings, createExecutionContext());
    const text = await response.text();
    const isJson = (response.headers.get("content-type") ?? "").includes("json");
    const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, text, headers: response.headers, json };
  }

  /** Under the API's base. */
  async call(method: string, path: string, body?: unknown, more: Ask = {}): Promise<Answer> {
    return this.ask(API + path, { method, ...(body === undefined ? {} : { body }), ...more });
  }

  /** Of the OpenAPI document: every route there is. */
  async operations(): Promise<readonly Listed[]> {
    const { json } = await this.ask("/_weir/api/openapi.json");
    const { paths } = json as unknown as ApiDocument;
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        operation,
      })),
    );
  }

  async makeToken(body: Record<string, unknown>): Promise<CreatedToken> {
    const made = await this.call("POST", "/tokens", { label: "test", ...body });
    if (made.status !== 201) throw new Error(`no token was made: ${made.text}`);
    return made.json as unknown as CreatedToken;
  }
}
