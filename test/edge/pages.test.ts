/** What callers get when Weir answers by itself: the form and language they want, and the same in a preview. */
import { env } from "cloudflare:workers";
import { createExecutionContext, reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Admin } from "../../src/admin/admin.ts";
import type { PagePreview } from "../../src/admin/contract.ts";
import { securityPolicy } from "../../src/config/pages/html.ts";
import { PAGE_KINDS, PAGE_LANGUAGES, PREVIEW_STATES } from "../../src/config/pages/vocabulary.ts";
import { DEFAULT_HTML } from "../../src/edge/default-pages/html.ts";
import { pageResponse, type PageWanted } from "../../src/edge/pages.ts";
import { from, Gateway, origin, withKey } from "./gateway.ts";

afterEach(async () => {
  vi.unstubAllGlobals();
  await reset();
});

const CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const ROOMY = { plans: { open: { limits: { requests: { rate: "1000/s", burst: 1_000, deadline: "10s" } } } } };
const CLOSED = { access: { deny: ["192.0.2.66"] } };

function wanted(change: Partial<PageWanted> & { readonly headers?: Record<string, string> } = {}): PageWanted {
  return {
    kind: "outage",
    status: 503,
    request: { method: "GET", headers: new Headers(change.headers) },
    requestId: "abc123",
    retryAfterMs: undefined,
    routeId: "all",
    originId: "app",
    own: undefined,
    problem: undefined,
    ...change,
  };
}
const NOTHING_OWN = { languages: [...PAGE_LANGUAGES], byKind: new Map() };

describe("the built-in pages", () => {
  it.each(PAGE_LANGUAGES)("say each thing in %s, completely, and in different words", async (language) => {
    const titles = new Set<string>();
    for (const kind of PAGE_KINDS) {
      const headers = { accept: CHROME, "accept-language": language };
      const response = pageResponse(NOTHING_OWN, wanted({ kind, headers, retryAfterMs: 30_000 }));
      const html = await response.text();
      expect(response.headers.get("content-language")).toBe(language);
      expect(html).toContain(`<html lang="${language}">`);
      expect(html).toContain("30");
      expect(html).toContain("abc123");
      expect(html).not.toMatch(/\{\{|undefined|<script|https?:\/\//);
      titles.add(/<h1>(.+)<\/h1>/.exec(html)?.[1] ?? "");
    }
    expect(titles.size).toBe(PAGE_KINDS.length);
  });

  it("are shown under a policy with the hash of their style", async () => {
    expect(DEFAULT_HTML.contentSecurityPolicy).toBe(await securityPolicy(DEFAULT_HTML.parts.join("")));
  });

  it.each([
    [500, "in about 1 second."],
    [90_000, "in about 90 seconds."],
    [90_001, "in about 2 minutes."],
    [5_400_000, "in about 90 minutes."],
    [86_400_000, "in about 24 hours."],
  ])("tell %i ms so that one can take it in", async (retryAfterMs, words) => {
    const plain = pageResponse(NOTHING_OWN, wanted({ retryAfterMs, headers: { accept: "text/plain" } }));
    expect(await plain.text()).toContain(words);
  });

  it("tell no time that is not known, and send nobody who is lost back to the same place", async () => {
    const lost = await pageResponse(
      NOTHING_OWN,
      wanted({ kind: "not-found", headers: { accept: "text/html" } }),
    ).text();
    expect(lost).toContain("<p></p>");
    expect(lost).toContain('<a href="/">');
  });

  it("are for programs what a program can read", async () => {
    const response = pageResponse(NOTHING_OWN, wanted({ retryAfterMs: 2_000, headers: { "accept-language": "de" } }));
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toEqual({
      type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
      title: "Wir sind gleich zurück",
      status: 503,
      detail: "Dieser Teil des Dienstes kann gerade nicht antworten. Wir arbeiten daran.",
      retryAfterSeconds: 2,
      requestId: "abc123",
    });
  });
});

describe("a variable", () => {
  const evil = `</p><script>"'&\n`;
  const own = (mediaType: string, text: string) =>
    new Map([[mediaType, new Map([["en", { parts: [text, "routeId", text] }]])]]);

  it.each([
    ["text/html", "|", "|&lt;/p&gt;&lt;script&gt;&quot;&#39;&amp;\n|"],
    ["application/json", '"', `"</p><script>\\"'&\\n"`],
    ["text/plain", "|", `|${evil}|`],
  ])("is escaped in %s", async (mediaType, text, expected) => {
    const page = wanted({ routeId: evil, own: own(mediaType, text), headers: { accept: mediaType } });
    expect(await pageResponse(NOTHING_OWN, page).text()).toBe(expected);
  });
});

describe("a refusal", () => {
  it.each([
    [{}, "application/problem+json", "en"],
    [{ accept: "*/*", "accept-language": "de" }, "application/problem+json", "en"],
    [{ accept: "application/json" }, "application/json", "en"],
    [{ accept: "application/json;q=0.5, text/html;q=0.6" }, "text/html; charset=utf-8", "en"],
    [{ accept: CHROME, "accept-language": "ja,en;q=0.5" }, "text/html; charset=utf-8", "ja"],
    [{ accept: CHROME, "accept-language": "fr-CA, en;q=0.5" }, "text/html; charset=utf-8", "fr"],
    [{ accept: CHROME, "accept-language": "sv" }, "text/html; charset=utf-8", "en"],
    [{ accept: "text/plain" }, "text/plain; charset=utf-8", "en"],
    [{ accept: "image/png" }, "application/problem+json", "en"],
  ])("for %j is %s in %s", async (headers: Record<string, string>, type, language) => {
    const gateway = await Gateway.of(CLOSED);
    const refused = await gateway.send({ ...from("192.0.2.66"), ...headers });
    expect(refused.status).toBe(403);
    expect(refused.headers.get("content-type")).toBe(type);
    expect(refused.headers.get("content-language")).toBe(language);
    expect(refused.headers.get("vary")).toBe("accept, accept-language");
    expect(refused.headers.get("cache-control")).toBe("no-store");
    expect(refused.headers.has("content-security-policy")).toBe(type.startsWith("text/html"));
  });

  it("tells browsers when to come again, as the header does", async () => {
    const gateway = await Gateway.of({
      plans: { open: { limits: { requests: { rate: "1/m", burst: 1, deadline: "10s" } } } },
    });
    origin(() => new Response("hello"));
    const headers = { ...(await withKey("192.0.2.1")), accept: CHROME, "accept-language": "es" };
    await gateway.send(headers);
    const refused = await gateway.send(headers);
    expect(refused.status).toBe(429);
    const seconds = refused.headers.get("retry-after");
    expect(await refused.text()).toContain(`en aproximadamente ${seconds} segundos.`);
  });

  it("has no body when only the head was asked for", async () => {
    const gateway = await Gateway.of(CLOSED);
    const refused = await gateway.send({ ...from("192.0.2.66"), accept: CHROME }, "/", { method: "HEAD" });
    expect([refused.status, await refused.text()]).toEqual([403, ""]);
  });
});

const PAGES = {
  "sorry.html": "<style>p{margin:0}</style><p>{{title}}: {{retryAfterSeconds}}",
  "sorry.de.html": "<p>Leider: {{title}}, {{language}}",
  "sorry.json": '{ "again": {{retryAfterSeconds}}, "why": "{{message}}" }',
  "lost.html": "<p>lost, says the company",
};
const OWN = {
  ...ROOMY,
  pages: { files: { "not-found": { "text/html": "lost.html" }, outage: { "text/html": "lost.html" } } },
  routes: [
    {
      id: "shop",
      match: { path: "/shop/*" },
      origin: "app",
      degraded: {
        retryAfter: "7s",
        pages: { "text/html": "sorry.html", "application/json": "sorry.json" },
      },
    },
    { id: "slow", match: { path: "/slow" }, origin: "app", degraded: { status: 504 } },
    { id: "bare", match: { path: "/bare" }, origin: "app" },
  ],
};

describe("a page of one's own", () => {
  const ask = async (headers: Record<string, string>, path = "/shop/1") => {
    const gateway = await Gateway.of(OWN, undefined, PAGES);
    origin(() => new Response("broken", { status: 500 }));
    const answer = await gateway.send({ ...(await withKey("192.0.2.1")), ...headers }, path);
    const text = await answer.text();
    await gateway.settled();
    return { answer, text };
  };

  it("comes in the forms it has, first for whoever does not care, and in its languages", async () => {
    expect((await ask({})).text).toContain('{ "again": 7, "why": "This part of');
    const english = await ask({ accept: CHROME, "accept-language": "ja" });
    expect(english.text).toBe("<style>p{margin:0}</style><p>We will be right back: 7");
    expect(english.answer.headers.get("retry-after")).toBe("7");
    expect(english.answer.headers.get("content-security-policy")).toMatch(/style-src 'sha256-[^']+';/);
    const german = await ask({ accept: CHROME, "accept-language": "de-AT" });
    expect(german.text).toBe("<p>Leider: Wir sind gleich zurück, de");
    expect(german.answer.headers.get("content-language")).toBe("de");
  });

  it("leaves the forms it has not to the built-in ones", async () => {
    const problem = await ask({ accept: "application/problem+json" });
    expect(problem.answer.headers.get("content-type")).toBe("application/problem+json");
    expect(JSON.parse(problem.text)).toMatchObject({ status: 503, retryAfterSeconds: 7 });
  });

  it("may be one for a kind, wherever a route has none", async () => {
    expect((await ask({ accept: CHROME }, "/nowhere")).text).toBe("<p>lost, says the company");
    expect((await ask({ accept: CHROME }, "/slow")).text).toContain("<h1>This page could not be loaded</h1>");
  });
});

describe("a preview", () => {
  const TOKEN = { authorization: `Bearer ${env.WEIR_ADMIN_TOKEN ?? ""}` };
  const admin = (gateway: Gateway, path: string, init: RequestInit = {}) =>
    new Admin(gateway.edge).handle(
      new Request(`https://gateway.example/_weir/api/v1${path}`, { ...init, headers: TOKEN }),
      env,
      createExecutionContext(),
    );
  const previewOf = async (gateway: Gateway, query: string): Promise<PagePreview> =>
    (await admin(gateway, `/pages/${query}`)).json();

  /** Headers that both have, but for what differs by request. */
  const comparable = (headers: Iterable<[string, string]>): Record<string, string> => {
    const {
      "weir-request-id": _id,
      ratelimit: _left,
      "ratelimit-policy": _policy,
      ...rest
    } = Object.fromEntries(headers);
    return rest;
  };

  it("is what a caller gets while the breaker is open by hand, and then is a maintenance page", async () => {
    const gateway = await Gateway.of(OWN, undefined, PAGES);
    origin(() => new Response("hello"));
    const body = JSON.stringify({ reason: "new database", forMs: 5_000, state: "open" });
    expect((await admin(gateway, "/breakers/app/trip", { method: "POST", body })).status).toBe(200);
    const caller = { ...(await withKey("192.0.2.1")), accept: CHROME, "accept-language": "fr" };
    // It is over before any route's own time to come back: that is all a preview can know.
    for (const [path, route] of [
      ["/shop/1", "shop"],
      ["/slow", "slow"],
      ["/bare", "bare"],
    ] as const) {
      const real = await gateway.send(caller, path);
      const query = `${route}/preview?state=forced-open&lang=fr&accept=${encodeURIComponent(CHROME)}`;
      const shown = await previewOf(gateway, query);
      expect(shown.status).toBe(real.status);
      expect(comparable(Object.entries(shown.headers))).toEqual(comparable(real.headers.entries()));
      const id = real.headers.get("weir-request-id") ?? "";
      expect(shown.body.replace(shown.headers["weir-request-id"] ?? "", id)).toBe(await real.text());
    }
    expect((await previewOf(gateway, "slow/preview?state=forced-open")).body).toContain(
      "<h1>Down for maintenance</h1>",
    );
  });

  it.each(PREVIEW_STATES)("shows %s without touching anything", async (state) => {
    const gateway = await Gateway.of(OWN, undefined, PAGES);
    const reached = vi.fn<() => Response>();
    origin(reached);
    const shown = await previewOf(gateway, `bare/preview?state=${state}`);
    expect(shown).toMatchObject({ route: "bare", state });
    expect(shown.status).toBeGreaterThanOrEqual(400);
    expect(shown.body).toContain("<p>");
    expect(gateway.calls).toEqual([]);
    expect(reached).not.toHaveBeenCalled();
    expect(await env.ORIGIN.getByName("origin:app").status()).toMatchObject({ history: [] });
  });

  it("says what would be valid when asked for something else, and nothing without the token", async () => {
    const gateway = await Gateway.of(OWN, undefined, PAGES);
    expect(await (await admin(gateway, "/pages/shoop/preview")).text()).toContain("valid: shop, slow, bare");
    const bad = await admin(gateway, "/pages/shop/preview?state=ajar");
    expect([bad.status, await bad.text()]).toEqual([400, expect.stringContaining("forced-open")]);
    const hidden = await new Admin(gateway.edge).handle(
      new Request("https://gateway.example/_weir/api/v1/pages/shop/preview"),
      env,
      createExecutionContext(),
    );
    expect(hidden.status).toBe(404);
  });
});
