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
