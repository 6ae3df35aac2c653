/**
 * Web cache deception: a victim is lured to a personal page under a name that looks static. Safe: nothing is stored for its
 * name; what was made for somebody's cookie or credential is never served to anybody else.
 */
import { describe, expect, it } from "vitest";
import { arrivals, get, seenIn, unused } from "./support/attack.ts";

const DISGUISES = [
  "/x.css",
  ";x.css",
  "%3Bx.css",
  "%23x.css",
  "%3Fx.css",
  "%2fx.css",
  "/..%2fx.css",
  "/.css",
  ".js",
  "/logo.svg?cb=1",
  "%0Ax.css",
  "%00x.css",
];
const REFUSED = ["%0Ax.css", "%00x.css"];
const SAID = ["", "cc=private", "cc=no-store", "cc=private%2C+max-age%3D60", "cookie=a%3Db%3B+Path%3D%2F"];

describe.each(SAID)("a personal page whose origin says %j", (said) => {
  it.each(DISGUISES)("under %s is for its owner alone", async (disguise) => {
    const page = `${unused("account")}${disguise}`;
    const url = page + (page.includes("?") ? "&" : "?") + said;
    const victim = await get(url, { cookie: "session=victim" });
    const attacker = await get(url);
    if (REFUSED.includes(disguise)) {
      expect([victim.status, attacker.status]).toEqual([400, 400]);
      return;
    }
    expect([victim.status, attacker.status]).toEqual([200, 200]);
    expect(seenIn(victim).headers["cookie"]).toBe("session=victim");
    expect(seenIn(attacker).headers["cookie"]).toBeUndefined();
    expect(attacker.served).toBe("origin");
  });
});

it("the same page for an Authorization is for its owner alone, too", async () => {
  const url = `${unused("account")}/x.css`;
  const victim = await get(url, { authorization: "Basic dmljdGlt" });
  const attacker = await get(url);
  expect(seenIn(victim).headers["authorization"]).toBe("Basic dmljdGlt");
  expect([attacker.served, seenIn(attacker).headers["authorization"]]).toEqual(["origin", undefined]);
});

it("what the origin calls public is still stored, cookie or not", async () => {
  const url = `${unused("account")}/x.css?cc=public%2C+max-age%3D60`;
  await get(url, { cookie: "session=victim" });
  expect((await get(url)).served).toBe("cache");
  expect(await arrivals(url)).toHaveLength(1);
});
