/** The cache over real sockets: parts of bodies, large bodies, many requests for one URL, what a HEAD or a POST changes. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { configOf, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Outcome, send } from "../support/traffic.ts";

const folder = temporaryFolder();
let gateway: Gateway;
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const arrivals: IncomingMessage[] = [];
const LARGE = Buffer.alloc(3_000_000, "0123456789abcdef");

beforeAll(async () => {
  server = createServer((request, response) => {
    arrivals.push(request);
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url, deadline: "3s", retry: { attempts: 1 }, breaker: { tripScore: 1000, popTripScore: 1000 } } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: {} },
    routes: [
      { id: "negative", match: { path: "/negative/*" }, origin: "app", cache: { negativeTtl: "1m" } },
      // Whose followers a busy machine does not make take their leader for dead.
      { id: "patient", match: { path: "/patient/*" }, origin: "app", cache: {}, deadline: "20s" },
      { id: "all", match: { path: "/*" }, origin: "app", cache: { forwardHeaders: ["X-User"] } },
    ],
  });
  gateway = await startTestGateway(config);
});
afterAll(async () => {
  await gateway.stop();
  server.closeAllConnections();
  server.close();
  folder.remove();
});
beforeEach(() => {
  arrivals.length = 0;
  answer = text("0123456789");
});

/** GET and HEAD alike. */
function text(body: string | Buffer, headers: Record<string, string> = {}, status = 200): typeof answer {
  return (request, response) => {
    const all = { "cache-control": "max-age=60", "content-length": String(Buffer.byteLength(body)), ...headers };
    response.writeHead(status, all);
    response.end(request.method === "HEAD" ? undefined : body);
  };
}

let number = 0;
const fresh = (): string => `/${number++}`;
const ask = (path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Outcome> =>
  send(undefined, gateway.urls[0] + path, { headers, method });

describe("RFC 9110 §14: a range of a stored whole", () => {
  it.each<[string, number, string, string | undefined]>([
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=0-99", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=4-2", 200, "0123456789", undefined],
    ["bytes=0-1,4-5", 200, "0123456789", undefined],
    ["lines=1-2", 200, "0123456789", undefined],
  ])("%s is answered with %i", async (range, status, body, contentRange) => {
    const path = fresh();
    await ask(path);
    const part = await ask(path, { range });
    expect([part.status, part.body, part.headers["content-range"], part.served]).toEqual([
      status,
      body,
      contentRange,
      "cache",
    ]);
    expect(arrivals).toHaveLength(1);
  });

  it("is the whole where If-Range names another version", async () => {
    answer = text("0123456789", { etag: '"one"' });
    const path = fresh();
    await ask(path);
    expect((await ask(path, { range: "bytes=0-1", "if-range": '"one"' })).status).toBe(206);
    expect((await ask(path, { range: "bytes=0-1", "if-range": '"two"' })).status).toBe(200);
    expect((await ask(path, { range: "bytes=0-1", "if-range": 'W/"one"' })).status).toBe(200);
  });

  it("goes to the origin as it is where nothing is stored, and what comes back is not stored", async () => {
    const path = fresh();
    answer = text("23", { "content-range": "bytes 2-3/10" }, 206);
    expect((await ask(path, { range: "bytes=2-3" })).body).toBe("23");
    expect(arrivals[0]?.headers.range).toBe("bytes=2-3");
    answer = text("0123456789");
    expect((await ask(path)).body).toBe("0123456789");
  });
});

describe("a large body", () => {
  it("is stored as it is sent, and served from the cache, whole and in part, to GET and HEAD", async () => {
    const path = fresh();
    answer = text(LARGE);
    expect((await ask(path)).body.length).toBe(LARGE.length);
    await waitUntil("it is stored", 5_000, async () => (await ask(path, {}, "HEAD")).served === "cache");
    const asked = arrivals.length;
    const again = await ask(path);
    expect([again.served, again.body === LARGE.toString()]).toEqual(["cache", true]);
    const part = await ask(path, { range: "bytes=2000001-2000004" });
    expect([part.status, part.body]).toEqual([206, LARGE.toString("latin1", 2_000_001, 2_000_005)]);
    expect(arrivals).toHaveLength(asked);
  });

  it.each(["with its length", "chunked"])("that breaks off, %s, is not stored", async (how) => {
    const path = fresh();
    answer = (_request, response) => {
      const headers = { "cache-control": "max-age=60" };
      response.writeHead(200, how === "chunked" ? headers : { ...headers, "content-length": String(LARGE.length) });
      response.write(LARGE.subarray(0, 1_000_000), () => {
        response.destroy();
      });
    };
    const broken = await ask(path).catch(() => undefined);
    expect(broken?.body.length).not.toBe(LARGE.length);
    answer = text("whole");
    expect((await ask(path)).body.slice(0, 20)).toBe("whole");
  });
});

describe("many requests for one URL that is not stored", () => {
  it("are one request to the origin", async () => {
    const path = `/patient${fresh()}`;
    answer = (request, response) => {
      setTimeout(() => {
        text("shared")(request, response);
      }, 1_000);
    };
    const all = await Promise.all(Array.from({ length: 1_000 }, () => ask(path)));
    console.log(`1,000 concurrent misses of one URL: ${arrivals.length} requests to the origin`);
    expect(arrivals).toHaveLength(1);
    expect(new Set(all.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(["200 shared"]));
    expect(all.filter(({ headers }) => headers["cache-status"]?.includes("collapsed")).length).toBeGreaterThan(900);
  }, 30_000);

  it("each get their own answer where it is not for others", async () => {
    const path = fresh();
    answer = (request, response) => {
      setTimeout(() => {
        text(String(request.headers["x-user"]), { "cache-control": "private" })(request, response);
      }, 100);
    };
    const users = Array.from({ length: 50 }, (_, index) => `user-${index}`);
    const all = await Promise.all(users.map((user) => ask(path, { "x-user": user })));
    expect(all.map(({ body }) => body)).toEqual(users);
    expect(arrivals).toHaveLength(50);
  });

  it("get an answer for each value of what it varies by", async () => {
    const path = fresh();
    answer = (request, response) => {
      setTimeout(() => {
        text(String(request.headers["accept-language"]), { vary: "Accept-Language" })(request, response);
      }, 100);
    };
    const languages = Array.from({ length: 60 }, (_, index) => ["en", "de", "fr"][index % 3] ?? "");
    const all = await Promise.all(languages.map((language) => ask(path, { "accept-language": language })));
    expect(all.map(({ body }) => body)).toEqual(languages);
  });

  it("share the origin's failure, but nobody's own", async () => {
    const path = fresh();
    answer = (request, response) => {
      setTimeout(() => {
        text(`failed for ${request.headers.authorization ?? "all"}`, {}, 500)(request, response);
      }, 200);
    };
    const all = await Promise.all(Array.from({ length: 50 }, () => ask(path)));
    expect(new Set(all.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(["500 failed for all"]));
    expect(arrivals).toHaveLength(1);
    const users = Array.from({ length: 10 }, (_, index) => `Bearer ${index}`);
    const own = fresh();
    const theirs = await Promise.all(users.map((authorization) => ask(own, { authorization })));
    expect(theirs.map(({ body }) => body)).toEqual(users.map((user) => `failed for ${user}`));
  });

  it("do not wait for ever for one that hangs", async () => {
    const path = fresh();
    answer = (request, response) => {
      if (arrivals.length > 1) text("second try")(request, response);
    };
    const all = await Promise.all(Array.from({ length: 20 }, () => ask(path)));
    expect(all.filter(({ body }) => body === "second try")).toHaveLength(19);
    expect(arrivals.length).toBeLessThanOrEqual(3);
  });
});

describe("what else changes what is stored", () => {
  it("a HEAD that tells of the same version renews it; one that tells of another makes it stale", async () => {
    const path = fresh();
    answer = text("body", { etag: '"one"', "cache-control": "max-age=0" });
    await ask(path);
    answer = text("body", { etag: '"one"', "cache-control": "max-age=60", "x-new": "1" });
    await ask(path, {}, "HEAD");
    const renewed = await ask(path);
    expect([renewed.served, renewed.body, renewed.headers["x-new"]]).toEqual(["cache", "body", "1"]);
    answer = text("other", { etag: '"two"' });
    await ask(path, { "cache-control": "no-cache" }, "HEAD");
    expect((await ask(path)).body).toBe("other");
  });

  it("a POST retires what its answer names, on the same host only", async () => {
    const [target, named, foreign] = [fresh(), fresh(), fresh()];
    for (const path of [target, named, foreign]) await ask(path);
    arrivals.length = 0;
    answer = text("done", { location: named, "content-location": `http://elsewhere.example${foreign}` });
    await ask(target, {}, "POST");
    expect((await ask(named)).served).toBe("origin");
    expect((await ask(target)).served).toBe("origin");
    expect((await ask(foreign)).served).toBe("cache");
  });

  it("a missing page is kept as long as the route says, a failure no longer than ten seconds", async () => {
    answer = text("none", { "cache-control": "" }, 404);
    await ask("/negative/page");
    expect((await ask("/negative/page")).served).toBe("cache");
    const path = fresh();
    answer = text("broken", { "cache-control": "max-age=3600" }, 503);
    await ask(path);
    const kept = await ask(path);
    const ttl = Number(/ttl=(\d+)/.exec(String(kept.headers["cache-status"]))?.[1]);
    expect([kept.status, kept.served]).toEqual([503, "cache"]);
    expect(ttl).toBeLessThanOrEqual(10);
  });
});
