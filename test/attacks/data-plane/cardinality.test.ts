/**
 * Cardinality: every request is another URL, another value of what an answer varies by, another address, another tenant.
 * Safe: every table is bounded by a number and by bytes; no identity that is not configured makes an object.
 */
import { Agent } from "node:http";
import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { send } from "../../support/traffic.ts";
import { attacked, get, unused, withKey } from "./support/attack.ts";

/** The bench goes on to a million (`npm run bench`): bench/distinct-urls.ts. */
const REQUESTS = 200;

async function each(
  count: number,
  of: (index: number) => readonly [path: string, headers: Record<string, string>],
): Promise<Map<number, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const statuses = new Map<number, number>();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const [path, headers] = of(next++);
      const { status } = await send(agent, attacked.url + path, { headers });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  agent.destroy();
  return statuses;
}

const tenantObjects = (): number =>
  readdirSync(attacked.stateDir, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.includes("-Tenant") && path.endsWith(".sqlite") && !path.includes("metadata"),
  ).length;

it(`${REQUESTS} distinct long URLs of one site are answered, and the gateway goes on`, async () => {
  const path = unused("shared");
  const filler = "q".repeat(4_000);
  expect([...(await each(REQUESTS, (index) => [`${path}?${index}${filler}`, {}]))]).toEqual([[200, REQUESTS]]);
  expect((await get(unused("shared"))).status).toBe(200);
});

it("distinct values of what an answer varies by leave the URL's other variants usable", async () => {
  const url = `${unused("shared")}?vary=User-Agent&cc=max-age%3D60`;
  const statuses = await each(100, (index) => [url, { "user-agent": `agent ${index}` }]);
  expect([...statuses]).toEqual([[200, 100]]);
  await get(url, { "user-agent": "mine" });
  expect((await get(url, { "user-agent": "mine" })).served).toBe("cache");
});

it(`${REQUESTS} addresses and forged tenants make no more objects than there are partitions`, async () => {
  const path = unused("plain");
  await each(REQUESTS, (index) => [path, { "cf-connecting-ip": `10.${index >> 8}.${index & 255}.1` }]);
  await each(100, (index) => [
    path,
    { "x-api-key": `weir_${Buffer.from(`t${index}`).toString("base64url")}_${"0".repeat(16)}_${"A".repeat(22)}` },
  ]);
  await get(path, withKey(attacked.nobody));
  // Sixteen for all anonymous callers of a plan, and one for each tenant that exists.
  expect(tenantObjects()).toBeLessThanOrEqual(16 + 3);
});
