/** The old key of a rotation, used on after the overlap: its end is known beforehand, so no message can be late. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { arrivals, heldClock, keyGateway, keyOf, KEY_ID, presenting, WAYS, withOrigin } from "./callers.ts";

withOrigin();

const NEW_ID = "fedcba9876543210";
const OVERLAP_MS = 60_000;

async function rotated(
  tenantId: string,
): Promise<{ readonly old: Record<string, string>; readonly next: Record<string, string> }> {
  const tenant = env.TENANT.getByName(`tenant:${tenantId}`);
  await tenant.createKey({ v: 1, keyId: KEY_ID });
  const rotation = { v: 1, keyId: KEY_ID, newKeyId: NEW_ID, overlapMs: OVERLAP_MS, order: {} } as const;
  await tenant.rotateKey(rotation);
  return { old: presenting(await keyOf({ tenantId })), next: presenting(await keyOf({ tenantId, keyId: NEW_ID })) };
}

describe("a replaced key", () => {
  it.each(WAYS)("is good through the overlap, beside the new one, and refused after it (%j)", async (way) => {
    const { tenantId, path } = way;
    const clock = heldClock();
    const { old, next } = await rotated(tenantId);
    const gateway = await keyGateway();
    expect([(await gateway.send(old, path)).status, (await gateway.send(next, path)).status]).toEqual([200, 200]);
    clock.advance(OVERLAP_MS - 1);
    expect((await gateway.send(old, path)).status).toBe(200);
    // Not a word from the coordinator is needed any more.
    clock.advance(1);
    const before = arrivals.length;
    expect((await gateway.send(old, path)).status).toBe(401);
    expect(arrivals).toHaveLength(before);
    expect((await gateway.send(next, path)).status).toBe(200);
  });

  it.each(WAYS)("never gets through a new isolate after the overlap (%j)", async ({ tenantId, path }) => {
    const clock = heldClock();
    const { old, next } = await rotated(tenantId);
    clock.advance(OVERLAP_MS);
    const gateway = await keyGateway();
    expect([(await gateway.send(old, path)).status, (await gateway.send(next, path)).status]).toEqual([401, 200]);
  });
});
