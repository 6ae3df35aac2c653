import { describe, expect, it } from "vitest";
import { mayUse, parseScopes, routeOf } from "../../../src/policy/identity/scopes.ts";

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"];
const SAFE = ["GET", "HEAD", "OPTIONS"];
const UNSAFE = METHODS.filter((method) => !SAFE.includes(method));
const NONE: string[] = [];

/** Which methods a key with these scopes may use on the route `orders`, and on any other. */
const may = (...scopes: string[]): { readonly orders: string[]; readonly other: string[] } => ({
  orders: METHODS.filter((method) => mayUse(parseScopes(scopes), method, "orders")),
  other: METHODS.filter((method) => mayUse(parseScopes(scopes), method, "other")),
});

describe("scopes of a key", () => {
  it.each([
    [["read"], { orders: SAFE, other: SAFE }],
    [["write"], { orders: UNSAFE, other: UNSAFE }],
    [["read", "write"], { orders: METHODS, other: METHODS }],
    [["route:orders"], { orders: METHODS, other: NONE }],
    [["read:orders"], { orders: SAFE, other: NONE }],
    [["write:orders"], { orders: UNSAFE, other: NONE }],
    [["read", "write:orders"], { orders: METHODS, other: SAFE }],
    [["route:another"], { orders: NONE, other: NONE }],
  ])("%j allow %j", (scopes, allowed) => {
    expect(may(...scopes)).toEqual(allowed);
  });

  it.each(["admin", "READ", "route:", "route", "*", "", "read:a b", "route:orders:x", "delete:orders"])(
    "%j grants nothing",
    (scope) => {
      expect(may(scope)).toEqual({ orders: NONE, other: NONE });
      expect(routeOf(scope)).toBeUndefined();
    },
  );
});
