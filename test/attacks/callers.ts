/** What attacks on credentials share: a gateway with routes of each kind, keys as their owner made them, and an origin. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { type ApiKeyClaims, mintApiKey } from "../../src/platform/api-key.ts";
import { Gateway } from "../edge/gateway.ts";

export const KEY_ID = "0123456789abcdef";

/** Requests that reached the origin. */
export const arrivals: Request[] = [];

/** Stands for the origin in every test of the file; others that are asked get what `elsewhere` says. */
export function withOrigin(elsewhere: (url: string) => Promise<Response> | undefined = () => undefined): void {
  beforeEach(() => {
    arrivals.length = 0;
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      const other = elsewhere(url);
      if (other !== undefined) return other;
      arrivals.push(new Request(url, { ...init, body: null }));
      const life = url.includes("/miss/") ? "max-age=60" : "no-store";
      return new Response("hello", { headers: { "cache-control": life } });
    });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    await reset();
  });
}

/** One route with limits, one charged behind its cache, one where nothing is limited; key and anonymous callers. */
export const keyGateway = (): Promise<Gateway> =>
  Gateway.of({
    plans: { open: {}, held: { limits: { requests: { rate: "1000/s", burst: 1000 } } } },
    identity: [
      { type: "apiKey", header: "x-api-key" },
      { type: "anonymous", plan: "open" },
    ],
    tenants: {
      acme: { plan: "held" },
      exempt: { plan: "held", access: { exempt: ["0.0.0.0/0"] } },
      free: { plan: "open" },
    },
    routes: [
      { id: "miss", match: { path: "/miss/*" }, origin: "app", cache: { ttl: "1m" }, charge: "miss" },
      { id: "orders", match: { path: "/orders/*" }, origin: "app" },
      { id: "all", match: { path: "/*" }, origin: "app" },
    ],
  });

/** Every way in which a caller may be limited, or not at all. */
export const WAYS = [
  { tenantId: "acme", path: "/" },
  { tenantId: "acme", path: "/miss/x" },
  { tenantId: "exempt", path: "/" },
  { tenantId: "exempt", path: "/miss/x" },
  { tenantId: "free", path: "/" },
] as const;

export const keyOf = (claims: Partial<ApiKeyClaims>): Promise<string> =>
  mintApiKey(env.WEIR_KEY_SECRET ?? "", { tenantId: "acme", keyId: KEY_ID, ...claims });

export const presenting = (key: string): Record<string, string> => ({
  "x-api-key": key,
  "cf-connecting-ip": "192.0.2.1",
});

/** A refusal without what differs from one request to the next. */
export async function shapeOf(answer: Response): Promise<unknown> {
  const body = { ...((await answer.json()) as object), requestId: "" };
  const own = ["weir-request-id", "date"];
  return { status: answer.status, headers: [...answer.headers].filter(([name]) => !own.includes(name)), body };
}

/** The clock stands still, and goes on when told. */
export function heldClock(): { readonly startMs: number; advance(ms: number): void } {
  const startMs = Math.ceil(Date.now() / 1_000) * 1_000;
  let nowMs = startMs;
  vi.spyOn(Date, "now").mockImplementation(() => nowMs);
  return {
    startMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

/** Refused as a credential, before the origin. */
export async function expectRefused(gateway: Gateway, headers: Record<string, string>, path = "/"): Promise<unknown> {
  const before = arrivals.length;
  const answer = await gateway.send(headers, path);
  expect(answer.status).toBe(401);
  expect(arrivals).toHaveLength(before);
  return shapeOf(answer);
}

/** All of them are refused, and nobody can tell why from the answers. */
export async function expectAllRefused(gateway: Gateway, requests: readonly Record<string, string>[]): Promise<void> {
  const shapes = [];
  for (const headers of requests) shapes.push(await expectRefused(gateway, headers));
  for (const shape of shapes) expect(shape).toEqual(shapes[0]);
}
