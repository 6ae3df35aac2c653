/**
 * Request smuggling: two parsers see two requests where one was sent. HTTP is parsed by the platform; Weir sends every
 * request to the origin by itself, framed anew. Safe: one request in, at most one at the origin, and never the hidden one.
 */
import { describe, expect, it } from "vitest";
import { arrivals, attacked, raw, unused } from "./support/attack.ts";

const HOST = `Host: 127.0.0.1:${attacked.port}`;

/** A request with these headers whose body hides another. */
const hiding = (hidden: string, headers: readonly string[], before = ""): string =>
  [`POST ${unused("plain")} HTTP/1.1`, HOST, ...headers, "", `${before}GET ${hidden} HTTP/1.1\r\n${HOST}\r\n\r\n`].join(
    "\r\n",
  );

describe("the hidden request never reaches the origin", () => {
  it.each<[string, readonly string[], string]>([
    ["CL and TE, the body by its length", ["Content-Length: 5", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["TE and CL, the other way round", ["Transfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["two lengths", ["Content-Length: 0", "Content-Length: 60"], ""],
    ["two lengths in one field", ["Content-Length: 0, 60"], ""],
    ["a length with a sign", ["Content-Length: +0"], ""],
    ["a length in hex", ["Content-Length: 0x0"], ""],
    ["TE with a tab", ["Transfer-Encoding:\tchunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["TE that is not quite", ["Transfer-Encoding: xchunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["TE with another coding", ["Transfer-Encoding: identity, chunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["a space before the colon", ["Transfer-Encoding : chunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["a folded line", ["X: a", " Transfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["a bare line feed", ["X: a\nTransfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["a chunk with a sign", ["Transfer-Encoding: chunked"], "-1\r\n\r\n0\r\n\r\n"],
    ["a chunk that overflows", ["Transfer-Encoding: chunked"], "fffffffffffffffff\r\n\r\n0\r\n\r\n"],
  ])("%s", async (_what, headers, before) => {
    const hidden = unused("hidden");
    const { statuses } = await raw(hiding(hidden, headers, before));
    const seen = await arrivals(hidden);
    // What the platform takes for a second request on the connection is one: it has an answer of its own, and went
    // through every stage. Smuggled is what reaches the origin without one.
    const answered = statuses.filter((status) => status !== 400).length;
    expect(seen.length).toBeLessThanOrEqual(Math.max(0, answered - 1));
  });
});

it("a body that looks like a request reaches the origin as a body", async () => {
  const hidden = unused("hidden");
  const path = unused("plain");
  const body = `GET ${hidden} HTTP/1.1\r\n${HOST}\r\n\r\n`;
  const { statuses } = await raw(
    [`POST ${path} HTTP/1.1`, HOST, "Connection: close", `Content-Length: ${body.length}`, "", body].join("\r\n"),
  );
  expect(statuses).toEqual([200]);
  expect((await arrivals(path))[0]?.bytes).toBe(body.length);
  expect(await arrivals(hidden)).toEqual([]);
});
