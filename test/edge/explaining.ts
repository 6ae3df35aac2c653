/** What tests of explanations share: a config with something of everything, and how they ask. */
import { env } from "cloudflare:workers";
import { createExecutionContext, reset } from "cloudflare:test";
import { expect, vi } from "vitest";
import { Admin } from "../../src/admin/admin.ts";
import type { ExplainBody, ExplainReply } from "../../src/admin/contract.ts";
import { mintApiKey } from "../../src/platform/api-key.ts";
import { TOKEN } from "./admin-site.ts";
import { from, Gateway, KEY } from "./gateway.ts";

export const CONFIG = {
  origins: {
    app: { url: "https://app.example/base", retry: { attempts: 1 } },
    tripped: { url: "https://tripped.example", retry: { attempts: 1 }, failover: "app" },
    shut: { url: "https://shut.example", retry: { attempts: 1 } },
    worked: { url: "https://worked.example", retry: { attempts: 1 } },
  },
  access: { deny: ["203.0.113.0/24"] },
  identity: [
    { type: "apiKey", header: "x-api-key" },
    { type: "anonymous", plan: "crowd" },
  ],
  plans: {
    crowd: { limits: { requests: { rate: "1/h", burst: 5_000 } } },
    open: { limits: { requests: { rate: "1/h", burst: 2 } } },
    pro: { limits: { requests: { rate: "1000/s", burst: 1_000 }, watched: { rate: "1/h", burst: 1, mode: "shadow" } } },
    closed: { access: { allow: ["198.51.100.1"] } },
    trusted: { limits: { requests: { rate: "1/h", burst: 1 } }, access: { exempt: ["192.0.2.77"] } },
  },
  tenants: { acme: { plan: "pro" }, small: { plan: "open" }, listed: { plan: "closed" }, trusted: { plan: "trusted" } },
  routes: [
    { id: "fresh", match: { path: "/fresh/*" }, origin: "app", cache: { ttl: "1h" } },
    { id: "miss", match: { path: "/miss/*" }, origin: "app", cache: { ttl: "1h" }, charge: "miss" },
    { id: "stale", match: { path: "/stale/*" }, origin: "shut", cache: { staleIfError: "1h" } },
    { id: "behind", match: { path: "/behind/*" }, origin: "app", cache: { staleWhileRevalidate: "1h" } },
    { id: "read", match: { path: "/read/*", methods: ["GET"] }, origin: "app" },
    { id: "twice", match: { path: "/twice/*" }, origin: "tripped" },
    { id: "page", match: { path: "/page/*" }, origin: "shut", degraded: { status: 200, retryAfter: "1m" } },
    { id: "plain", match: { path: "/plain/*" }, origin: "shut" },
    { id: "works", match: { path: "/works/*" }, origin: "worked" },
    { id: "limited", match: { path: "/limited/*" }, origin: "app", limits: { few: { rate: "1/h", burst: 1 } } },
    { id: "rest", match: { path: "/rest/*" }, origin: "app" },
  ],
};
export const visitor = from("192.0.2.1");
/** Of the origins, in the order of arrival. */
export const reached: string[] = [];

export function stubOrigins(): void {
  reached.length = 0;
  vi.stubGlobal("fetch", async (url: string) => {
    reached.push(url);
    const age = url.includes("/stale/") || url.includes("/behind/") ? { age: "9", "cache-control": "max-age=1" } : {};
    return new Response("from the origin", { headers: { ...age } });
  });
}

export async function endAll(): Promise<void> {
  await Gateway.allSettled();
  vi.unstubAllGlobals();
  await reset();
}

export const ADMIN = "https://gateway.example/_weir/api/v1";

const admins = new WeakMap<Gateway, Admin>();

export function adminOf(gateway: Gateway): Admin {
  const admin = admins.get(gateway) ?? new Admin(gateway.edge);
  admins.set(gateway, admin);
  return admin;
}

export async function ask(gateway: Gateway, path: string, body: unknown, token = TOKEN): Promise<Response> {
  const request = new Request(`${ADMIN}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return adminOf(gateway).handle(request, env, createExecutionContext());
}

export async function explained(gateway: Gateway, body: ExplainBody): Promise<ExplainReply> {
  const response = await ask(gateway, "/explain", body);
  expect(response.status, await response.clone().text()).toBe(200);
  return response.json();
}

/** As a client would send it, as the body of an explanation. */
export function asBody(path: string, headers: Record<string, string>, method = "GET"): ExplainBody {
  const { "cf-connecting-ip": address, ...others } = headers;
  return {
    method,
    url: `https://gateway.example${path}`,
    headers: others,
    ...(address === undefined ? {} : { address }),
  };
}

export const keyOf = async (tenantId: string, keyId = KEY, more = {}): Promise<Record<string, string>> => ({
  ...visitor,
  "x-api-key": await mintApiKey(env.WEIR_KEY_SECRET ?? "", { tenantId, keyId, ...more }),
});
