/**
 * Enumeration of tenants: answers tell which tenants exist. Safe: a tenant that does not exist, a wrong MAC, garbage and a
 * revoked key get the same status, body and headers, after the same work.
 */
import { expect, it } from "vitest";
import { send } from "../../support/traffic.ts";
import { waitUntil } from "../../support/gateway.ts";
import { quantile } from "../../support/traffic.ts";
import { attacked, get, withKey } from "./support/attack.ts";

const base64url = (text: string): string => Buffer.from(text).toString("base64url");
const forged = (tenant: string, index: number): string =>
  `weir_${base64url(tenant)}_${String(index).padStart(16, "0")}_${"A".repeat(22)}`;

/** Without what is different in every answer. */
async function shapeOf(key: string): Promise<unknown> {
  const { status, headers, body } = await get("/plain/enumerated", withKey(key));
  const { date: _, "weir-request-id": __, "server-timing": ___, ...kept } = headers;
  return { status, kept, body: { ...(JSON.parse(body) as object), requestId: "" } };
}

async function revokedKey(): Promise<string> {
  const api = `${attacked.url}/_weir/api/v1/tenants/acme/keys`;
  const admin = { authorization: `Bearer ${attacked.adminToken}` };
  const created = await send(undefined, api, { method: "POST", headers: admin });
  const { key, keyId } = JSON.parse(created.body) as { key: string; keyId: string };
  await send(undefined, `${api}/${keyId}`, { method: "DELETE", headers: admin });
  await waitUntil("the key is refused", 6_000, async () => (await get("/plain/x", withKey(key))).status === 401);
  return key;
}

it("whatever is wrong with a key, the answer is the same", async () => {
  const shapes = await Promise.all(
    [forged("acme", 0), forged("no-such-tenant", 0), attacked.nobody, "weir_", "x", await revokedKey()].map(shapeOf),
  );
  expect(shapes[0]).toMatchObject({ status: 401 });
  for (const shape of shapes) expect(shape).toEqual(shapes[0]);
});

it("neither does the time tell: wrong MACs of known and unknown tenants take alike", async () => {
  const taken: Record<"known" | "unknown", number[]> = { known: [], unknown: [] };
  for (let index = 0; index < 300; index++) {
    for (const [which, tenant] of [
      ["known", "acme"],
      ["unknown", "amce"],
    ] as const) {
      taken[which].push((await get("/plain/timed", withKey(forged(tenant, index)))).durationMs);
    }
  }
  const known = quantile(taken.known, 0.5);
  const unknown = quantile(taken.unknown, 0.5);
  console.log(`median of a refusal: known tenant ${known.toFixed(2)} ms, unknown ${unknown.toFixed(2)} ms`);
  // By turns, on one machine: what is left is noise.
  expect(Math.abs(known - unknown)).toBeLessThan(Math.max(0.5, 0.25 * Math.max(known, unknown)));
});
