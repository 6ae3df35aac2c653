/** A key used for what its scopes do not name: refused in the isolate, whoever its caller is and whatever headers say. */
import { describe, expect, it } from "vitest";
import { arrivals, keyGateway, keyOf, presenting, shapeOf, WAYS, withOrigin } from "./callers.ts";

withOrigin();

describe("a key whose scopes do not name the request", () => {
  it.each(WAYS)("is refused with 403 at the first request, without a coordinator (%j)", async ({ tenantId, path }) => {
    const gateway = await keyGateway();
    const headers = presenting(await keyOf({ tenantId, scopes: ["route:orders"] }));
    const answer = await gateway.send(headers, path);
    expect(answer.status).toBe(403);
    expect(await shapeOf(answer)).toMatchObject({ body: { type: "urn:weir:problem:out-of-scope" } });
    expect([gateway.calls, arrivals]).toEqual([[], []]);
    expect((await gateway.send(headers, "/orders/1")).status).toBe(200);
  });

  it.each(["x-http-method-override", "x-http-method", "x-method-override"])("is not helped by %s", async (name) => {
    const gateway = await keyGateway();
    const headers = presenting(await keyOf({ scopes: ["read"] }));
    expect((await gateway.send({ ...headers, [name]: "GET" }, "/", { method: "DELETE" })).status).toBe(403);
    expect((await gateway.send({ ...headers, [name]: "DELETE" })).status).toBe(200);
    expect(arrivals.map((request) => [request.method, request.headers.get(name)])).toEqual([["GET", null]]);
  });

  it.each(["/orders/../x", "/orders/%2e%2e/x", "//x/orders/1", "/x;/orders/1", "/%6Frders/../orders/../x"])(
    "is not helped by the path %s",
    async (path) => {
      const gateway = await keyGateway();
      const headers = presenting(await keyOf({ scopes: ["route:orders"] }));
      expect((await gateway.send(headers, path)).status).toBe(403);
      expect(arrivals).toEqual([]);
    },
  );
});
