/**
 * Path tricks: a path is written so that a route's limit or the cache reads another one than the origin. Safe: there is one
 * canonical path, for routing, limits, keys and the origin. What is the same by the URL standard is one place; what is
 * different by it stays different at the origin, too.
 */
import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { arrivals, attacked, raw, request, type RawAnswer, unused } from "./support/attack.ts";

const BURST = 5;
const ask = (path: string): Promise<RawAnswer> => raw(request(`GET ${path}`));

/** Spellings of one path that the URL standard, or some origins, take for it. */
const SPELLINGS = [
  "/limited/x",
  "//limited/x",
  "/limited//x",
  "/./limited/x",
  "/a/../limited/x",
  "/a/%2e%2e/limited/x",
  "/a/.%2E/limited/./x",
  "/%6Cimited/x",
  "/%6c%69mited/%78",
  "/limited\\x",
  "\\limited/x",
  "/limited%5Cx",
  "/limited/x#/../../free",
  "/limited/a/..\\x",
];

it("a route's limit holds for all spellings of a path together", async () => {
  const statuses: number[] = [];
  for (const spelling of [...SPELLINGS, ...SPELLINGS]) statuses.push(...(await ask(spelling)).statuses);
  const admitted = statuses.filter((status) => status === 200).length;
  expect(admitted).toBeLessThanOrEqual(BURST);
  expect(statuses.filter((status) => ![200, 400, 429].includes(status))).toEqual([]);
});

describe("a path that is another one stays so at the origin", () => {
  it.each([
    "/limited%2Fx",
    "/LIMITED/x",
    "/limited;v=1/x",
    "/limited%3Bv=1/x",
    "/limited%252Fx",
    "/limited%20/x",
    "/limited./x",
  ])("%s", async (path) => {
    const mark = unused("").slice(1);
    const { statuses } = await ask(`${path}${mark}`);
    expect(statuses).toEqual([200]);
    const [seen] = await arrivals(mark);
    const { pathname } = new URL(seen?.url ?? "", "http://origin.example");
    expect(pathname.startsWith("/limited/")).toBe(false);
  });
});

it.each(["/limited/%00x", "/limited/%0d%0ax", "/limited/%7f", "/limited/%", "/limited/%zz", "/limited/%u002e"])(
  "%s is refused",
  async (path) => {
    expect((await ask(path)).statuses).toEqual([400]);
  },
);

it("a path of 9,000 characters is refused, one of 8,000 is one place for all", async () => {
  expect((await ask(`/shared/${"a".repeat(9_000)}`)).statuses).toEqual([400]);
  const long = `${unused("shared")}${"a".repeat(7_900)}`;
  expect([(await ask(long)).statuses, (await ask(long)).statuses]).toEqual([[200], [200]]);
  expect(await arrivals(long)).toHaveLength(1);
});

const SEED = Number(process.env["WEIR_SEED"] ?? 1);
const PIECES = [
  "/",
  "//",
  ".",
  "..",
  "%2e",
  "%2E",
  "\\",
  "%5c",
  ";",
  "%3b",
  "a",
  "A",
  "%61",
  "%2f",
  "~",
  "%7e",
  ":",
  "@",
  "é",
  "%c3%a9",
];

it(`whatever is sent, the origin's own view is where the gateway routed it (seed ${SEED})`, async () => {
  const random = seeded(SEED);
  const paths = Array.from({ length: 300 }, () =>
    Array.from({ length: 1 + Math.floor(random() * 6) }, () => PIECES[Math.floor(random() * PIECES.length)]).join(""),
  );
  for (const path of paths) {
    const mark = unused("").slice(1);
    const sentPath = `/p/${path}`;
    const target = `${sentPath}?${mark}`;
    const status = await new Promise<number>((resolve, reject) => {
      // As bytes: a client's library would tidy the path up.
      const sent = httpRequest(
        { port: attacked.port, path: Buffer.from(target, "utf8").toString("latin1") },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      sent.on("error", reject);
      sent.end();
    });
    if (status === 400) continue;
    const [seen] = await arrivals(mark);
    const told = (seen?.url ?? "").split("?")[0] ?? "";
    // By the URL standard what the origin got is in its simplest form, and is what the client's own path comes down to.
    expect(new URL(told, "http://o").pathname).toBe(told);
    expect(told).not.toMatch(/\/\/|\\|%2[eE]|%5[cC]|\/\.{1,2}(?:\/|$)/);
    const standard = simplest(sentPath);
    expect({ target, told }).toEqual({ target, told: standard });
  }
});

/** By RFC 3986 section 6.2.2 what escapes are equal to; slashes one by one; then dots and bytes by the URL standard. */
function simplest(path: string): string {
  const decoded = path
    .replaceAll(/\\|%5c/gi, "/")
    .replaceAll(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
    })
    .replaceAll(/\/{2,}/g, "/");
  return new URL(decoded, "http://o").pathname;
}
