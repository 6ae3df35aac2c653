/** Maintenance over several edges under traffic: how soon it is in force and over, and that no call gets through. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { ADMIN, configOf, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { send } from "../support/traffic.ts";

const EDGES = 4;
const IN_FORCE_MS = 5_000;

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: {} },
    routes: [
      { id: "cached", match: { path: "/cached" }, origin: "app", cache: { ttl: "1h" } },
      { id: "all", match: { path: "/*" }, origin: "app" },
    ],
  });
  gateway = await startTestGateway(config, { edges: EDGES });
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

async function admin(method: string, body?: unknown): Promise<void> {
  const url = `${gateway.urls[0]}/_weir/api/v1/maintenance/origins/app`;
  const answer = await fetch(url, {
    method,
    headers: ADMIN,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
}

/** How long each edge took, under traffic, until it answered so. */
const untilEach = (path: string, status: number): Promise<number[]> =>
  Promise.all(
    gateway.urls.map((url) =>
      waitUntil(`${path} is answered with ${status}`, IN_FORCE_MS, async () => {
        return (await send(undefined, url + path)).status === status;
      }),
    ),
  );

describe.each([
  ["that the origin answers", "/page", {}],
  ["that the cache answers", "/cached", { pageOnly: true }],
])("maintenance, for traffic %s,", (_what, path, body) => {
  it("is in force on every edge within five seconds, lets no call through, and is over as soon", async () => {
    await untilEach(path, 200);
    await admin("PUT", { forMs: 600_000, ...body });
    const begun = await untilEach(path, 503);
    const before = origin.arrivals.length;
    for (const url of gateway.urls) {
      for (const method of ["GET", "POST"]) expect((await send(undefined, url + path, { method })).status).toBe(503);
    }
    expect(origin.arrivals.length).toBe(before);
    await admin("DELETE");
    const over = await untilEach(path, 200);
    console.log(
      `${path}: in force after ${Math.round(Math.max(...begun))} ms, over after ${Math.round(Math.max(...over))} ms`,
    );
  });
});
