/**
 * Slow and endless request bodies: each holds a connection, a slot and a call for ever, and makes the origin look as if it
 * hung. Safe: bounded by the route's deadline (408) and by 100 MiB (413); what waits for its client says nothing against
 * the origin, so no breaker opens for it.
 */
import { expect, it } from "vitest";
import { waitUntil } from "../../support/gateway.ts";
import { send } from "../../support/traffic.ts";
import { attacked, get, raw, request, unused } from "./support/attack.ts";

const ADMIN = { authorization: `Bearer ${attacked.adminToken}` };
const DEADLINE_MS = 1_000;

async function breakerOf(origin: string): Promise<unknown> {
  const answer = await send(undefined, `${attacked.url}/_weir/api/v1/breakers/${origin}`, { headers: ADMIN });
  return answer.status === 200 ? (JSON.parse(answer.body) as unknown) : answer.status;
}

/** Writes a little every 100 ms, and never the end. */
const dripping =
  (piece: string) =>
  (write: (more: string) => void): void => {
    let left = 40;
    const drip = setInterval(() => {
      write(piece);
      if (--left === 0) clearInterval(drip);
    }, 100);
  };

it.each([
  ["a small body that stops half way", ["Content-Length: 1000"], "a", undefined],
  ["a small body, a byte at a time", ["Content-Length: 1000"], "a", "a"],
  ["a large body that stops half way", ["Content-Length: 1000000"], "a".repeat(1_000), undefined],
  ["chunks that stop", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n", undefined],
  ["chunks without an end, a byte at a time", ["Transfer-Encoding: chunked"], "1\r\na\r\n", "1\r\na\r\n"],
])("%s is answered 408 at the deadline", async (_what, headers, body, more) => {
  const began = performance.now();
  const { statuses } = await raw(
    request(`POST ${unused("uploads")}`, headers, body),
    DEADLINE_MS * 3,
    more === undefined ? undefined : dripping(more),
  );
  expect(statuses).toEqual([408]);
  expect(performance.now() - began).toBeLessThan(DEADLINE_MS * 4);
});

it("twenty of them at once open no breaker, and everybody else is served", async () => {
  const slow = Array.from({ length: 20 }, () =>
    raw(request(`POST ${unused("uploads")}`, ["Transfer-Encoding: chunked"], "1\r\na\r\n"), DEADLINE_MS * 3),
  );
  const meanwhile = await get(unused("uploads"));
  expect(meanwhile.status).toBe(200);
  expect((await Promise.all(slow)).map(({ statuses }) => statuses[0])).toEqual(slow.map(() => 408));
  expect((await get(unused("uploads"))).served).toBe("origin");
  expect(await breakerOf("uploads")).toMatchObject({ state: "closed", score: 0 });
});

it("a body that says it is larger than 100 MiB is answered 413 before any of it is read", async () => {
  const { statuses } = await raw(request(`POST ${unused("uploads")}`, ["Content-Length: 104857601"], "a"), 2_000);
  expect(statuses).toEqual([413]);
});

it("a large body that comes in time reaches the origin whole", async () => {
  const body = "b".repeat(3_000_000);
  for (const headers of [[`Content-Length: ${body.length}`], ["Transfer-Encoding: chunked"]]) {
    const framed = headers[0]?.startsWith("T") ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
    const { statuses, text } = await raw(request(`POST ${unused("plain")}`, headers, framed), 2_000);
    expect(statuses).toEqual([200]);
    expect(text).toContain(`"bytes":${body.length}`);
  }
});

it("an origin that hangs after the whole body has come is still seen to hang", async () => {
  const { statuses } = await raw(
    request(`POST ${unused("uploads")}?hang`, ["Content-Length: 70000"], "a".repeat(70_000)),
    DEADLINE_MS * 3,
  );
  expect(statuses).toEqual([503]);
  await waitUntil("the failure is known", 3_000, async () => {
    const { counts } = (await breakerOf("uploads")) as { counts: Record<string, number> };
    return (counts["timeout"] ?? 0) + (counts["late"] ?? 0) > 0;
  });
});
