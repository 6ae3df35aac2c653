import { describe, expect, it } from "vitest";
import { cleanRequestHeaders, cleanResponseHeaders, hasLoop } from "../../src/http/headers.ts";

const by = { clientIp: "203.0.113.7", protocol: "https", host: "x.example" };
const clean = (inbound: Record<string, string>, forwarded = by): Record<string, string> =>
  Object.fromEntries(cleanRequestHeaders(new Headers(inbound), forwarded));

const rebuilt = {
  "x-forwarded-for": "203.0.113.7",
  "x-forwarded-proto": "https",
  "x-forwarded-host": "x.example",
  via: "1.1 weir",
  "cdn-loop": "weir",
};
const hopByHop = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"];

describe("the headers for an origin", () => {
  it("say who asks, and carry what the client sent", () => {
    const kept = { accept: "text/html", authorization: "Bearer x", cookie: "a=b", "content-type": "text/plain" };
    expect(clean(kept)).toEqual({ ...kept, ...rebuilt });
  });

  it.each(hopByHop)("never carry %s, which is for one hop", (name) => {
    expect(clean({ [name]: "x-other" })).toEqual(rebuilt);
  });

  it("never carry what Connection names, in any case and with any spaces", () => {
    const inbound = {
      connection: "close, X-Secret ,,x-two,not a token",
      "x-secret": "1",
      "x-two": "2",
      "x-three": "3",
    };
    expect(clean(inbound)).toEqual({ ...rebuilt, "x-three": "3" });
  });

  it("never carry a session of the dashboard, and of other cookies every byte", () => {
    expect(clean({ cookie: "weir_session=root.x.y" })).toEqual(rebuilt);
    expect(clean({ cookie: "a=b;  c=weir_session; weir_session=1;weir_session=2; weir_sessions=3" })).toEqual({
      ...rebuilt,
      cookie: "a=b;  c=weir_session; weir_sessions=3",
    });
    const other = { cookie: "a=weir_session; b=" };
    expect(clean(other)).toEqual({ ...rebuilt, ...other });
  });

  it("are rebuilt even when Connection names them", () => {
    expect(clean({ connection: "x-forwarded-for, via, cdn-loop" })).toEqual(rebuilt);
  });

  it.each([
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-ipcountry",
    "cf-ray",
    "cf-worker",
    "proxy-authorization",
    "weir-attempt",
    "weir-served",
    "weir-tenant",
    "weir-request-id",
  ])("do not believe the client's %s", (name) => {
    expect(clean({ [name]: "forged" })).toEqual(rebuilt);
  });

  it("name no address when none is known, not even the one the client claims", () => {
    expect(clean({ "x-forwarded-for": "forged" }, { ...by, clientIp: "" })).not.toHaveProperty("x-forwarded-for");
  });

  it("are appended to what earlier hops wrote", () => {
    const hops = clean({ via: "1.1 other", "cdn-loop": "other.example" });
    expect(hops).toMatchObject({ via: "1.1 other, 1.1 weir", "cdn-loop": "other.example, weir" });
  });

  it("are a copy", () => {
    const inbound = new Headers({ connection: "x-a", "x-a": "1" });
    cleanRequestHeaders(inbound, by);
    expect(Object.fromEntries(inbound)).toEqual({ connection: "x-a", "x-a": "1" });
  });
});

describe("the headers of an origin's answer", () => {
  it("lose what is for one hop, what Connection names and what only we may say", () => {
    const headers = new Headers(hopByHop.map((name): [string, string] => [name, "x"]));
    headers.set("connection", "X-Internal");
    headers.set("x-internal", "1");
    headers.set("weir-served", "forged");
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    headers.set("etag", '"1"');
    cleanResponseHeaders(headers);
    expect([...headers]).toEqual([
      ["etag", '"1"'],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
  });
});

describe("a loop", () => {
  it.each([
    ["via", "1.1 weir"],
    ["via", "1.0 first, 1.1 weir, 2 last"],
    ["via", "HTTP/2 Weir"],
    ["cdn-loop", "weir"],
    ["cdn-loop", "other.example, weir; hops=1"],
    ["cdn-loop", "WEIR"],
  ])("is seen in %s: %s", (name, value) => {
    expect(hasLoop(new Headers({ [name]: value }))).toBe(true);
  });

  it.each([
    ["via", "1.1 weird"],
    ["via", "1.1 my-weir"],
    ["cdn-loop", "weird, not-weir"],
    ["cdn-loop", "other.example; by=weir"],
    ["x-via", "1.1 weir"],
  ])("is not seen in %s: %s", (name, value) => {
    expect(hasLoop(new Headers({ [name]: value }))).toBe(false);
  });

  it("is seen in the request that we send ourselves, and not in the one before it", () => {
    const inbound = new Headers({ accept: "*/*" });
    expect([hasLoop(inbound), hasLoop(cleanRequestHeaders(inbound, by))]).toEqual([false, true]);
  });
});
