/** Method override: a header turns a stored GET into something else at the origin. Safe: no such header reaches any origin. */
import { describe, expect, it } from "vitest";
import { get, seenIn, unused } from "./support/attack.ts";

const HEADERS = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];

describe.each(["shared", "plain"])("on the route %s", (route) => {
  it.each(HEADERS)("%s is dropped", async (name) => {
    for (const method of ["GET", "POST"]) {
      const seen = seenIn(await get(unused(route), { [name]: "DELETE" }, method));
      expect([seen.method, seen.headers[name.toLowerCase()]]).toEqual([method, undefined]);
    }
  });
});
