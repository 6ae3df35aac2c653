/** The cache over real sockets: what is stored, for whom, how long, and what retires it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Outcome, send } from "../support/traffic.ts";

const folder = temporaryFolder();
let gateway: Gateway;
let server: Server;
/** What the origin answers next, and what reached it. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const arrivals: IncomingMessage[] = [];
let version = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    arrivals.push(request);
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cached = (id: string, cache: unknown): unknown => ({
    id,
    match: { path: `/${id}/*` },
    origin: "app",
    cache,
    charge: "miss",
  });
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url, deadline: "2s", retry: { attempts: 1 } } },
    identity: [
      { type: "apiKey", header: "x-api-key" },
      { type: "anonymous", plan: "open" },
    ],
    plans: { open: { limits: { requests: { rate: "1000/s", burst: 1000 } } } },
    tenants: { acme: { plan: "open" }, globex: { plan: "open" } },
    routes: [
      cached("shared", {}),
      cached("swr", { staleWhileRevalidate: "1m", staleIfError: "1h" }),
      cached("own", { scope: "tenant", ttl: "1m" }),
      cached("languages", { byContentLanguage: true }),
      cached("posted", { storePost: true, forwardHeaders: ["X-Own"] }),
    ],
  });
  gateway = await startTestGateway(config, { edges: 2 });
});
afterAll(async () => {
  await gateway.stop();
  server.closeAllConnections();
  server.close();
  folder.remove();
});
beforeEach(() => {
  arrivals.length = 0;
  answer = plain({ "cache-control": "max-age=60" });
});

/** 200 with a body that is different each time. */
function plain(headers: Record<string, string>, status = 200): typeof answer {
  return (request, response) => {
    version++;
    response.writeHead(status, { etag: `"v${version}"`, ...headers });
    response.end(request.method === "HEAD" ? undefined : `version ${version}`);
  };
}

let number = 0;
const fresh = (route: string): string => `/${route}/${number++}`;
const get = (path: string, headers: Record<string, string> = {}, edge = 0, method = "GET"): Promise<Outcome> =>
  send(undefined, gateway.urls[edge] + path, { headers, method });
const key = async (tenant: string): Promise<Record<string, string>> => {
  const { authorization = "" } = await keyFor(tenant);
  return { "x-api-key": authorization.slice("Bearer ".length) };
};

describe("a fresh answer", () => {
  it("is served from the cache, with its age, to GET and HEAD, without asking the origin", async () => {
    const path = fresh("shared");
    const first = await get(path);
    const again = await get(path);
    const head = await get(path, {}, 0, "HEAD");
    expect([first.served, again.served, head.served]).toEqual(["origin", "cache", "cache"]);
    expect([again.body, head.body]).toEqual([first.body, ""]);
    // Its Date has whole seconds.
    expect(again.headers["age"]).toMatch(/^[01]$/);
    expect(again.headers["cache-status"]).toMatch(/^weir; hit; ttl=(59|60)$/);
    expect(arrivals).toHaveLength(1);
  });

  it("is kept by each PoP for itself", async () => {
    const path = fresh("shared");
    await get(path);
    expect((await get(path, {}, 1)).served).toBe("origin");
  });

  it("answers a client that has it with 304", async () => {
    const path = fresh("shared");
    const first = await get(path);
    const etag = String(first.headers["etag"]);
    const known = await get(path, { "if-none-match": `"other", W/${etag}` });
    expect([known.status, known.body, known.served]).toEqual([304, "", "cache"]);
    expect((await get(path, { "if-none-match": '"other"' })).status).toBe(200);
  });

  it("is different for each value of what it varies by", async () => {
    const path = fresh("shared");
    answer = plain({ "cache-control": "max-age=60", vary: "Accept-Language" });
    const german = await get(path, { "accept-language": "de" });
    const english = await get(path, { "accept-language": "en" });
    expect(english.body).not.toBe(german.body);
    expect((await get(path, { "accept-language": "de" })).body).toBe(german.body);
    expect((await get(path, { "accept-language": "en" })).served).toBe("cache");
    expect(arrivals).toHaveLength(2);
  });

  it("that came compressed is served whole", async () => {
    const path = fresh("shared");
    const text = "compressed ".repeat(100);
    answer = (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "cache-control": "max-age=60" });
      response.end(gzipSync(text));
    };
    await get(path);
    const again = await get(path);
    expect([again.served, again.body]).toEqual(["cache", text]);
  });
});

describe("what must not be stored", () => {
  it.each<[string, Record<string, string>, number]>([
    ["private", { "cache-control": "private, max-age=60" }, 200],
    ["no-store", { "cache-control": "no-store" }, 200],
    ["Set-Cookie", { "cache-control": "max-age=60", "set-cookie": "a=b" }, 200],
    ["Vary: *", { "cache-control": "max-age=60", vary: "*" }, 200],
    ["206", { "cache-control": "max-age=60", "content-range": "bytes 0-8/9" }, 206],
    ["503 without a lifetime", {}, 503],
    ["nothing said and no validator of age", {}, 201],
  ])("%s is asked for again", async (_what, headers, status) => {
    const path = fresh("shared");
    answer = plain(headers, status);
    await get(path);
    const again = await get(path);
    expect(again.served).toBe("origin");
    expect(arrivals).toHaveLength(2);
  });

  it("an answer to a request whose Authorization the origin saw is asked for again, unless it says that it is public", async () => {
    const path = fresh("shared");
    const authorization = { authorization: "Basic c2VjcmV0" };
    await get(path, authorization);
    expect((await get(path)).served).toBe("origin");
    const open = fresh("shared");
    answer = plain({ "cache-control": "public, max-age=60" });
    await get(open, authorization);
    expect((await get(open)).served).toBe("cache");
  });

  it("half of a body", async () => {
    const path = fresh("shared");
    answer = (request, response) => {
      response.writeHead(200, { "cache-control": "max-age=60", "content-length": "1000" });
      response.write("half", () => request.socket.destroy());
    };
    expect((await get(path)).status).toBe(503);
    answer = plain({ "cache-control": "max-age=60" });
    expect((await get(path)).served).toBe("origin");
  });
});

describe("a tenant-scoped route", () => {
  it("never gives one tenant's answer to another", async () => {
    const path = fresh("own");
    const acme = await get(path, await key("acme"));
    const globex = await get(path, await key("globex"));
    const anonymous = await get(path);
    expect(new Set([acme.body, globex.body, anonymous.body]).size).toBe(3);
    expect((await get(path, await key("acme"))).body).toBe(acme.body);
    expect(arrivals).toHaveLength(3);
    expect(arrivals.every((arrival) => arrival.headers["x-api-key"] === undefined)).toBe(true);
  });
});

describe("a stale answer", () => {
  it("is served at once while it is refreshed behind the answer, with a conditional request", async () => {
    const path = fresh("swr");
    answer = plain({ "cache-control": "max-age=0" });
    const first = await get(path);
    const stale = await get(path);
    expect([stale.served, stale.body]).toEqual(["stale", first.body]);
    await waitUntil("the refresh reached the origin", 2_000, () => arrivals.length === 2);
    expect(arrivals[1]?.headers["if-none-match"]).toBe(first.headers["etag"]);
    await waitUntil("the new version is served", 2_000, async () => (await get(path)).body !== first.body);
  });

  it("is renewed by a 304 and keeps its body", async () => {
    const path = fresh("shared");
    answer = plain({ "cache-control": "max-age=0" });
    const first = await get(path);
    answer = (_request, response) => {
      response.writeHead(304, { etag: String(first.headers["etag"]), "cache-control": "max-age=60", "x-new": "1" });
      response.end();
    };
    const renewed = await get(path);
    expect([renewed.status, renewed.body, renewed.headers["x-new"]]).toEqual([200, first.body, "1"]);
    expect(renewed.headers["cache-status"]).toContain("fwd-status=304");
    expect((await get(path)).served).toBe("cache");
  });

  it("survives a failed refresh, and is not served where the origin forbade it", async () => {
    const path = fresh("swr");
    answer = plain({ "cache-control": "max-age=0" });
    const first = await get(path);
    answer = plain({}, 500);
    for (let index = 0; index < 3; index++) expect((await get(path)).body).toBe(first.body);
    const strict = fresh("swr");
    answer = plain({ "cache-control": "max-age=0, must-revalidate" });
    await get(strict);
    answer = plain({}, 500);
    expect((await get(strict)).status).toBe(500);
  });

  it("is retired by 404, 410, 401 and 403: it is not served after them", async () => {
    for (const status of [404, 410, 401, 403]) {
      const path = fresh("swr");
      answer = plain({ "cache-control": "max-age=0" });
      await get(path);
      answer = plain({ "cache-control": "no-store" }, status);
      await waitUntil(`${status} is passed on`, 2_000, async () => (await get(path)).status === status);
      answer = plain({}, 500);
      expect((await get(path)).status).toBe(500);
    }
  });

  it("is retired by an unsafe method on the same URL", async () => {
    const path = fresh("shared");
    const first = await get(path);
    expect((await get(path, {}, 0, "POST")).status).toBe(200);
    expect((await get(path)).body).not.toBe(first.body);
  });
});

describe("a request's own directives", () => {
  it("no-cache asks the origin; only-if-cached never does; no-store is not stored", async () => {
    const path = fresh("shared");
    expect((await get(path, { "cache-control": "only-if-cached" })).status).toBe(504);
    expect(arrivals).toHaveLength(0);
    await get(path, { "cache-control": "no-store" });
    expect((await get(path)).served).toBe("origin");
    expect((await get(path, { "cache-control": "only-if-cached" })).served).toBe("cache");
    expect((await get(path, { "cache-control": "no-cache" })).served).toBe("origin");
  });
});

describe("charge: miss", () => {
  it("takes no token for a hit", async () => {
    const path = fresh("shared");
    const headers = await key("acme");
    const miss = await get(path, headers);
    const hit = await get(path, headers);
    expect(miss.headers["ratelimit"]).toBeDefined();
    expect([hit.served, hit.headers["ratelimit"]]).toEqual(["cache", undefined]);
  });
});

describe("an answer in one language", () => {
  const inGerman = { "cache-control": "max-age=60", vary: "Accept-Language", "content-language": "de" };

  it("is for everybody who wants that language most, where the route says so, and for nobody else", async () => {
    const path = fresh("languages");
    answer = plain(inGerman);
    const first = await get(path, { "accept-language": "en, de" });
    for (const wanted of ["de", "DE;q=0.9, fr;q=0.5", "fr;q=0.5, de;q=1.0", "en, de"]) {
      const again = await get(path, { "accept-language": wanted });
      expect([wanted, again.served, again.body]).toEqual([wanted, "cache", first.body]);
    }
    for (const wanted of ["en", "de-AT, de;q=0.9", "de, fr", "*"]) {
      expect([wanted, (await get(path, { "accept-language": wanted })).served]).toEqual([wanted, "origin"]);
    }
  });

  it("is for those alone who asked alike, where the route does not say so", async () => {
    const path = fresh("shared");
    answer = plain(inGerman);
    await get(path, { "accept-language": "en, de" });
    expect((await get(path, { "accept-language": "de" })).served).toBe("origin");
  });

  it("is renewed for those who find it by their favourite, and told apart by all else that it varies by", async () => {
    const path = fresh("languages");
    answer = plain({ ...inGerman, vary: "Accept-Language, Accept", "cache-control": "max-age=0" });
    await get(path, { "accept-language": "en, de", accept: "text/html" });
    arrivals.length = 0;
    answer = (request, response) => {
      response.writeHead(request.headers["if-none-match"] === undefined ? 200 : 304, {
        ...inGerman,
        vary: "Accept-Language, Accept",
      });
      response.end();
    };
    const renewed = await get(path, { "accept-language": "de", accept: "text/html" });
    expect([renewed.status, renewed.headers["cache-status"]]).toEqual([200, "weir; fwd=stale; fwd-status=304; stored"]);
    expect(arrivals.map(({ headers }) => headers["accept-language"])).toEqual(["de"]);
    expect((await get(path, { "accept-language": "de, en;q=0.1", accept: "text/html" })).served).toBe("cache");
    expect((await get(path, { "accept-language": "de", accept: "text/plain" })).served).toBe("origin");
  });
});

describe("the answer to a POST", () => {
  /** As `plain`, of a URL that says it is itself. */
  const itself =
    (headers: Record<string, string>): typeof answer =>
    (request, response) => {
      plain({ "cache-control": "max-age=60", "content-location": request.url ?? "", ...headers })(request, response);
    };
  const post = (path: string, headers: Record<string, string> = {}): Promise<Outcome> => get(path, headers, 0, "POST");

  it("is what later GETs are answered with, where the route and the origin say so", async () => {
    const path = fresh("posted");
    answer = itself({});
    const before = await get(path);
    const posted = await post(path, { "x-own": "1", "content-type": "text/plain" });
    const after = await get(path);
    expect(posted.headers["cache-status"]).toBe("weir; fwd=method; fwd-status=200; stored");
    expect([after.served, after.body]).toEqual(["cache", posted.body]);
    expect(after.body).not.toBe(before.body);
    expect(arrivals.map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  it.each<[string, Record<string, string>, Record<string, string>]>([
    ["that names another URL", { "content-location": "/posted/other" }, {}],
    ["that names another host", { "content-location": "https://evil.example/" }, {}],
    ["that does not say for how long", { "cache-control": "public" }, {}],
    ["that is not to be stored", { "cache-control": "no-store, max-age=60" }, {}],
    ["that sets a cookie", { "set-cookie": "a=b" }, {}],
    ["to a request with a cookie", { "cache-control": "public, max-age=60" }, { cookie: "a=b" }],
    ["to a request with Authorization", { "cache-control": "public, max-age=60" }, { authorization: "Basic eA==" }],
    ["to a request with a field that no GET takes there", {}, { "x-evil": "1" }],
    ["to a request that says no-store", {}, { "cache-control": "no-store" }],
  ])("%s is not, and what was stored is gone all the same", async (_, says, asks) => {
    const path = fresh("posted");
    answer = itself({});
    await get(path);
    answer = itself(says);
    const posted = await post(path, asks);
    const after = await get(path);
    expect([posted.status, posted.served, after.served]).toEqual([200, "origin", "origin"]);
  });

  it("is not where the route does not ask for it, nor one that failed", async () => {
    answer = itself({});
    const path = fresh("shared");
    await post(path);
    expect((await get(path)).served).toBe("origin");
    const failed = fresh("posted");
    const good = await get(failed);
    answer = (request, response) => {
      plain({ "cache-control": "max-age=60", "content-location": request.url ?? "" }, 404)(request, response);
    };
    await post(failed);
    expect((await get(failed)).body).toBe(good.body);
  });
});
