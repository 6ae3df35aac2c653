/** A key whose expiry or scopes its holder rewrites: the MAC is over what it says, so it is no key any more. */
import { describe, expect, it } from "vitest";
import { arrivals, expectAllRefused, keyGateway, keyOf, KEY_ID, presenting, withOrigin } from "./callers.ts";

withOrigin();

const base64url = (text: string): string => btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const FAR_MS = 4_102_444_800_000;
const far = (FAR_MS / 1_000).toString(36);

describe("a key with an expiry and scopes", () => {
  it("is refused in the isolate when any of it is rewritten, with one and the same answer", async () => {
    const gateway = await keyGateway();
    const key = await keyOf({ expiresAtMs: FAR_MS, scopes: ["read"] });
    expect(key.startsWith(`weir2_${base64url(`acme|${far}|read`)}_${KEY_ID}_`)).toBe(true);
    expect((await gateway.send(presenting(key))).status).toBe(200);
    expect(arrivals).toHaveLength(1);
    const mac = key.slice(-22);
    const plain = await keyOf({});
    const written = (claims: string): string => `weir2_${base64url(claims)}_${KEY_ID}_${mac}`;
    const forgeries = [
      written(`acme|${far}|read write`),
      written(`acme|${far}|`),
      written("acme||read"),
      written("acme||"),
      written("acme"),
      written(`free|${far}|read`),
      written(`acme|${far}|read|`),
      written(`acme|${far}0|read`),
      // The other form, with either MAC.
      `weir_${base64url("acme")}_${KEY_ID}_${mac}`,
      `weir_${base64url(`acme|${far}|read`)}_${KEY_ID}_${mac}`,
      `weir2_${base64url("acme")}_${KEY_ID}_${plain.slice(-22)}`,
      `weir2_${base64url(`acme|${far}|`)}_${KEY_ID}_${plain.slice(-22)}`,
      // Another key's id.
      key.replace(KEY_ID, "fedcba9876543210"),
      `${key}A`,
      key.slice(0, -1),
      `weir2_${"A".repeat(2_000)}_${KEY_ID}_${mac}`,
    ];
    const fresh = await keyGateway();
    await expectAllRefused(fresh, forgeries.map(presenting));
    expect(fresh.calls).toEqual([]);
  });
});
