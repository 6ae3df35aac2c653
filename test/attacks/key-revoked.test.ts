/** A revoked key, used on: refused within five seconds, also where no limit would ever ask the tenant's coordinator. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { eventually } from "../edge/gateway.ts";
import { arrivals, heldClock, keyGateway, keyOf, KEY_ID, presenting, WAYS, withOrigin } from "./callers.ts";

withOrigin();

describe("a revoked key", () => {
  it.each(WAYS)("is refused within 5 s by an isolate that knew it, however quiet (%j)", async ({ tenantId, path }) => {
    const clock = heldClock();
    const tenant = env.TENANT.getByName(`tenant:${tenantId}`);
    await tenant.createKey({ v: 1, keyId: KEY_ID });
    const gateway = await keyGateway();
    const headers = presenting(await keyOf({ tenantId }));
    expect((await gateway.send(headers, path)).status).toBe(200);
    await tenant.revokeKey({ v: 1, keyId: KEY_ID });
    clock.advance(5_001);
    expect((await gateway.send(headers, path)).status).toBe(401);
  });

  it.each(WAYS)("is refused sooner under traffic, because the record is refreshed behind it (%j)", async (way) => {
    const clock = heldClock();
    const tenant = env.TENANT.getByName(`tenant:${way.tenantId}`);
    await tenant.createKey({ v: 1, keyId: KEY_ID });
    const gateway = await keyGateway();
    const headers = presenting(await keyOf({ tenantId: way.tenantId }));
    expect((await gateway.send(headers, way.path)).status).toBe(200);
    await tenant.revokeKey({ v: 1, keyId: KEY_ID });
    clock.advance(2_001);
    await eventually(async () => {
      expect((await gateway.send(headers, way.path)).status).toBe(401);
    });
  });

  it.each(WAYS)("never gets through an isolate that has not heard of the tenant (%j)", async ({ tenantId, path }) => {
    const tenant = env.TENANT.getByName(`tenant:${tenantId}`);
    await tenant.createKey({ v: 1, keyId: KEY_ID });
    await tenant.revokeKey({ v: 1, keyId: KEY_ID });
    const gateway = await keyGateway();
    const headers = presenting(await keyOf({ tenantId }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.send(headers, path)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401));
    expect(arrivals).toEqual([]);
  });
});
