/** An expired key, presented to an isolate that never heard of it and to one that knew it, on every kind of route. */
import { describe, expect, it } from "vitest";
import { arrivals, expectRefused, heldClock, keyGateway, keyOf, presenting, WAYS, withOrigin } from "./callers.ts";

withOrigin();

describe("a key that has expired", () => {
  it.each(WAYS)("is refused at once by an isolate that never heard of it (%j)", async ({ tenantId, path }) => {
    const { startMs } = heldClock();
    const gateway = await keyGateway();
    await expectRefused(gateway, presenting(await keyOf({ tenantId, expiresAtMs: startMs })), path);
    expect(gateway.calls).toEqual([]);
  });

  it.each(WAYS)("is refused from that moment on by an isolate that knew it (%j)", async ({ tenantId, path }) => {
    const clock = heldClock();
    const gateway = await keyGateway();
    const headers = presenting(await keyOf({ tenantId, expiresAtMs: clock.startMs + 1_000 }));
    expect((await gateway.send(headers, path)).status).toBe(200);
    clock.advance(999);
    expect((await gateway.send(headers, path)).status).toBe(200);
    clock.advance(1);
    expect((await gateway.send(headers, path)).status).toBe(401);
    expect(arrivals).toHaveLength(path === "/" ? 2 : 1);
  });

  it("is answered like a forged one", async () => {
    const { startMs } = heldClock();
    const gateway = await keyGateway();
    const expired = await expectRefused(gateway, presenting(await keyOf({ expiresAtMs: startMs - 1_000 })));
    expect(expired).toEqual(await expectRefused(gateway, presenting("weir_x")));
  });
});
