/**
 * CR, LF and NUL in values: a header or a URL breaks out of its line, at the origin, in a log, in an answer. Safe: such
 * requests are refused, by the platform or by Weir, and no byte of them comes back as a line of its own.
 */
import { describe, expect, it } from "vitest";
import { arrivals, attacked, raw, request, unused } from "./support/attack.ts";

describe.each([
  ["NUL", "\0"],
  ["CR", "\r"],
  ["LF and a field", "\nX-Injected: yes"],
  ["CR LF and a field", "\r\nX-Injected: yes"],
])("%s", (name, bytes) => {
  it.each([
    "User-Agent",
    "Cookie",
    "X-Api-Key",
    "Accept",
    "Accept-Language",
    "CF-Connecting-IP",
    "Traceparent",
    "Range",
  ])("in %s never becomes part of another value", async (field) => {
    const path = unused("plain");
    const { statuses, text } = await raw(request(`GET ${path}`, [`${field}: a${bytes}b`]));
    const [seen] = await arrivals(path);
    // A whole line end makes two fields of it before anybody can know better; that is what was sent.
    const twoFields = name.includes("LF");
    if (!twoFields) expect(statuses.every((status) => status === 400 || status === 401)).toBe(true);
    for (const value of Object.values(seen?.headers ?? {})) expect(String(value)).not.toMatch(/[\0\r\n]/);
    expect(text).not.toMatch(/\r?\nx-injected/i);
  });

  it("encoded in a path is refused, in a query it stays encoded", async () => {
    const encoded = encodeURIComponent(bytes.slice(0, 2));
    const path = unused("plain");
    expect((await raw(request(`GET ${path}/${encoded}`))).statuses).toEqual([400]);
    const { statuses, text } = await raw(request(`GET ${path}?q=${encoded}`));
    expect(text).not.toMatch(/\nx-injected/i);
    if (statuses[0] !== 200) expect(statuses).toEqual([400]);
    else expect((await arrivals(path))[0]?.url).toBe(`${path}?q=${encoded}`);
  });
});

it("an origin's Location with line ends in it cannot split our answer", async () => {
  const url = `${unused("plain")}?status=302&location=${encodeURIComponent("/a%0d%0aX-Injected:%20yes")}`;
  const answer = await fetch(attacked.url + url, { redirect: "manual" });
  expect([answer.status, answer.headers.has("x-injected")]).toEqual([302, false]);
  await answer.body?.cancel();
});
