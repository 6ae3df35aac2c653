/** Ten thousand forged API keys: refused in the isolate, with no coordinator created for any of them. */
import { Agent } from "node:http";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { ADMIN, configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { send } from "../support/traffic.ts";

const KEYS = 10_000;
const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url } },
    identity: [
      { type: "apiKey", header: "authorization", scheme: "Bearer" },
      { type: "anonymous", plan: "open" },
    ],
    plans: { open: { limits: { requests: { rate: "10/s", burst: 10 } } } },
    tenants: { acme: { plan: "open" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { stateDir: folder.path });
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

const base64url = (text: string): string => Buffer.from(text).toString("base64url");
const FORGERIES: readonly (() => string)[] = [
  () => randomBytes(24).toString("base64url"),
  () => `weir_${base64url("acme")}_${randomBytes(8).toString("hex")}_${randomBytes(16).toString("base64url")}`,
  () =>
    `weir_${base64url(`tenant-${randomBytes(4).toString("hex")}`)}_${randomBytes(8).toString("hex")}_${randomBytes(16).toString("base64url")}`,
  () => "weir_",
  () => `weir_${"A".repeat(500)}`,
];

describe("10,000 forged API keys", () => {
  it("are all refused with 401 and create no Durable Object", async () => {
    expect(gateway.listObjects("TENANT")).toEqual([]);
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const statuses = new Map<number, number>();
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < KEYS) {
        const forge = FORGERIES[next++ % FORGERIES.length];
        const { status } = await send(agent, `${gateway.urls[0]}/`, {
          headers: { authorization: `Bearer ${forge?.() ?? ""}` },
        });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    agent.destroy();
    console.log(
      `${KEYS} forged keys: ${[...statuses].map(([status, count]) => `${count} × ${status}`).join(", ")}; tenant objects ${gateway.listObjects("TENANT").length}`,
    );
    expect([...statuses]).toEqual([[401, KEYS]]);
    expect(origin.arrivals).toEqual([]);
    expect(gateway.listObjects("TENANT")).toEqual([]);
  });

  it("look like a key of an unknown tenant, and a true one still works and makes one object", async () => {
    const unknown = await send(undefined, `${gateway.urls[0]}/`, { headers: await keyFor("nobody") });
    const forged = await send(undefined, `${gateway.urls[0]}/`, { headers: { authorization: "Bearer weir_x" } });
    const shape = (body: string): unknown => ({ ...(JSON.parse(body) as object), requestId: "" });
    expect(unknown.status).toBe(401);
    expect(shape(unknown.body)).toEqual(shape(forged.body));
    expect((await send(undefined, `${gateway.urls[0]}/`, { headers: await keyFor("acme") })).status).toBe(200);
    expect(gateway.listObjects("TENANT")).toHaveLength(1);
  });

  it("a revoked key is refused within five seconds, also by an edge that knew it", async () => {
    const api = `${gateway.urls[0]}/_weir/api/v1/tenants/acme/keys`;
    const created = JSON.parse((await send(undefined, api, { headers: ADMIN, method: "POST" })).body) as {
      key: string;
      keyId: string;
    };
    const headers = { authorization: `Bearer ${created.key}` };
    await waitUntil(
      "the new key works",
      3_000,
      async () => (await send(undefined, `${gateway.urls[0]}/`, { headers })).status === 200,
    );
    const revoked = await send(undefined, `${api}/${created.keyId}`, { headers: ADMIN, method: "DELETE" });
    expect(revoked.status).toBe(200);
    const afterMs = await waitUntil(
      "the revoked key is refused",
      5_000,
      async () => (await send(undefined, `${gateway.urls[0]}/`, { headers })).status === 401,
    );
    console.log(`revoked key refused after ${Math.round(afterMs)} ms`);
  });
});
