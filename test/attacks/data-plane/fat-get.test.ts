/**
 * Fat GET: a body on a GET changes an answer that is stored under the bare URL. Safe: the body of a GET or HEAD is
 * dropped, and with it every field that tells of one, so no origin sees any.
 */
import { describe, expect, it } from "vitest";
import { attacked, arrivals, get, raw, request, unused } from "./support/attack.ts";

const FIELDS = ["content-length", "content-type", "content-encoding", "transfer-encoding", "expect"];

describe.each(["shared", "own", "plain"])("on the route %s", (route) => {
  it.each([
    ["a length", ["Content-Length: 11", "Content-Type: application/x-www-form-urlencoded"], "q=poisoned!"],
    ["chunks", ["Transfer-Encoding: chunked", "Content-Type: text/plain"], "b\r\nq=poisoned!\r\n0\r\n\r\n"],
  ])("a GET whose body has %s reaches the origin without it", async (_what, headers, body) => {
    const path = unused(route);
    const { statuses } = await raw(request(`GET ${path}`, headers, body));
    expect(statuses).toEqual([200]);
    const [seen, ...more] = await arrivals(path);
    expect(more).toEqual([]);
    expect([seen?.method, seen?.bytes]).toEqual(["GET", 0]);
    expect(FIELDS.filter((name) => seen?.headers[name] !== undefined)).toEqual([]);
  });
});

it("everybody else gets what a GET without a body gets", async () => {
  const path = unused("shared");
  const fat = await fetch(`${attacked.url}${path}`, { headers: { accept: "*/*" } });
  await fat.text();
  await raw(request(`GET ${path}`, ["Content-Length: 3"], "q=1"));
  expect((await get(path)).served).toBe("cache");
  expect(await arrivals(path)).toHaveLength(1);
});
