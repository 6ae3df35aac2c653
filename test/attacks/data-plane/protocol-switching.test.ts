/**
 * Upgrade, CONNECT, TRACE: a connection leaves HTTP, or an answer reflects credentials. Policy: TRACE, TRACK and CONNECT are
 * refused; Upgrade is a hop's own matter and ignored (WebSocket and h2c are not spoken); event streams pass as they come.
 */
import { describe, expect, it } from "vitest";
import { arrivals, attacked, get, raw, request, seenIn, unused } from "./support/attack.ts";

it.each(["TRACE", "TRACK"])("%s is refused, and reflects nothing", async (method) => {
  const path = unused("plain");
  const { statuses, text } = await raw(request(`${method} ${path}`, ["Cookie: secret=1"]));
  expect(statuses.every((status) => status >= 400)).toBe(true);
  expect(text).not.toContain("secret=1");
  expect(await arrivals(path)).toEqual([]);
});

it.each(["127.0.0.1:22", "evil.example:443"])("CONNECT %s opens no tunnel", async (target) => {
  const { statuses } = await raw(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`, 1_000);
  expect(statuses.every((status) => status >= 400)).toBe(true);
});

describe("Upgrade", () => {
  it.each([
    ["websocket", ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]],
    ["h2c", ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"]],
  ])("to %s is not passed on: never 101", async (_name, headers) => {
    const path = unused("plain");
    const { statuses } = await raw(
      request(`GET ${path}`, headers).replace("Connection: close", "Connection: Upgrade, HTTP2-Settings"),
    );
    expect(statuses).not.toContain(101);
    for (const { headers: seen } of await arrivals(path)) {
      expect([seen["upgrade"], seen["http2-settings"]]).toEqual([undefined, undefined]);
    }
  });
});

it("methods that no route allows are refused, unknown ones too", async () => {
  for (const method of ["PROPFIND", "PURGE", "M-SEARCH", "SUBSCRIBE"]) {
    const { statuses } = await raw(request(`${method} ${unused("shared")}`));
    expect(statuses.every((status) => status !== 101)).toBe(true);
  }
  expect(seenIn(await get(unused("plain"), {}, "OPTIONS")).method).toBe("OPTIONS");
});

it("an event stream begins at once and does not count as a hanging origin", async () => {
  const answer = await fetch(`${attacked.url}${unused("plain")}?sse`, { signal: AbortSignal.timeout(5_000) });
  const reader = answer.body?.getReader();
  const first = await reader?.read();
  expect(Buffer.from(first?.value ?? []).toString()).toBe("data: first\n\n");
  await reader?.cancel();
});
