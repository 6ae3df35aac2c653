/**
 * Hop-by-hop smuggling: `Connection` names a field that matters, so that some hop drops it. Safe: what it names goes no
 * further, except what we write ourselves; a credential is read before anything is dropped.
 */
import { expect, it } from "vitest";
import { arrivals, attacked, raw, request, unused } from "./support/attack.ts";

const send = async (path: string, headers: readonly string[]): Promise<number | undefined> =>
  (await raw(request(`GET ${path}`, headers).replace("Connection: close\r\n", ""))).statuses[0];

it("fields that Connection names do not reach the origin, hop-by-hop fields never do", async () => {
  const path = unused("plain");
  await send(path, [
    "Connection: close, X-Secret, Cookie, Authorization",
    "X-Secret: 1",
    "Cookie: a=b",
    "Authorization: Basic eA==",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic eA==",
    "TE: trailers",
    "Trailer: X-Secret",
  ]);
  const [seen] = await arrivals(path);
  const names = Object.keys(seen?.headers ?? {});
  for (const name of [
    "x-secret",
    "cookie",
    "authorization",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
  ]) {
    expect(names).not.toContain(name);
  }
});

it("what we write cannot be taken away", async () => {
  const path = unused("plain");
  await send(path, [
    "Connection: close, X-Forwarded-For, X-Forwarded-Host, Via, CDN-Loop, Traceparent",
    "CF-Connecting-IP: 192.0.2.9",
  ]);
  const [seen] = await arrivals(path);
  expect(seen?.headers).toMatchObject({ "x-forwarded-for": "192.0.2.9", via: "1.1 weir", "cdn-loop": "weir" });
});

it("a key that Connection names is still checked, and still not passed on", async () => {
  const path = unused("own");
  expect(await send(path, ["Connection: close, X-Api-Key", "X-Api-Key: weir_forged"])).toBe(401);
  expect(await send(path, ["Connection: close, X-Api-Key", `X-Api-Key: ${attacked.acme}`])).toBe(200);
  const seen = await arrivals(path);
  expect(seen.map(({ headers }) => headers["x-api-key"])).toEqual([undefined]);
});

it("an answer that would vary by a field that Connection took away is stored for those without it", async () => {
  const url = `${unused("shared")}?vary=Cookie&cc=max-age%3D60`;
  await send(url, ["Connection: close, Cookie", "Cookie: session=victim"]);
  expect((await arrivals(url))[0]?.headers["cookie"]).toBeUndefined();
  await send(url, ["Connection: close", "Cookie: session=victim"]);
  expect((await arrivals(url)).map(({ headers }) => headers["cookie"])).toEqual([undefined, "session=victim"]);
});
