/** Bad input of every kind: a clear message or a chosen fail mode, and the process stays up. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { configOf, keyFor, startTestGateway, temporaryFolder } from "../support/gateway.ts";
import { send } from "../support/traffic.ts";

const folder = temporaryFolder();
const origin = new BrokenOrigin();
beforeAll(() => origin.start());
afterAll(async () => {
  await origin.kill();
  folder.remove();
});

const valid = (): Record<string, unknown> => ({
  version: 1,
  origins: { app: { url: origin.url } },
  identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
  plans: { pro: { limits: { requests: { rate: "10/s", burst: 10 } } } },
  tenants: { acme: { plan: "pro" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
});

/** `npm start` on a config text: its exit code and what it says. */
function start(text: string, page?: string): { code: number | null; said: string } {
  const path = join(folder.path, "bad.jsonc");
  writeFileSync(path, text);
  mkdirSync(join(folder.path, "pages"), { recursive: true });
  if (page !== undefined) writeFileSync(join(folder.path, "pages", "page.html"), page);
  const run = spawnSync(
    process.execPath,
    ["local/start.ts", "--config", path, "--port", "20999", "--state", join(folder.path, "state")],
    {
      encoding: "utf8",
      timeout: 20_000,
    },
  );
  return { code: run.status, said: run.stdout + run.stderr };
}

describe("a config that cannot be", () => {
  it.each([
    [
      "broken JSONC",
      (): string => '{ "version": 1,\n "origins": { ',
      undefined,
      /bad\.jsonc:2:\d+ broken JSON: .*expected/,
    ],
    [
      "an unknown key",
      () => JSON.stringify({ ...valid(), orgins: {} }),
      undefined,
      /orgins: unknown key; valid keys: .*origins/,
    ],
    [
      "a negative rate",
      () => JSON.stringify({ ...valid(), plans: { pro: { limits: { requests: { rate: "-5/s" } } } } }),
      undefined,
      /plans\.pro\.limits\.requests\.rate: must be a rate above zero.*found "-5\/s"/,
    ],
    [
      "an unknown plan",
      () => JSON.stringify({ ...valid(), tenants: { acme: { plan: "por" } } }),
      undefined,
      /tenants\.acme\.plan: unknown plan "por"; did you mean "pro"\? valid: pro/,
    ],
    [
      "an unescaped variable in a page",
      () =>
        JSON.stringify({
          ...valid(),
          routes: [
            {
              id: "all",
              match: { path: "/*" },
              origin: "app",
              degraded: { pages: { "text/html": "pages/page.html" } },
            },
          ],
        }),
      "<p>{{{requestId}}}</p>",
      /uses an unescaped \{\{\{requestId\}\}\}/,
    ],
    [
      "a megabyte of config",
      () => JSON.stringify({ ...valid(), $schema: "x".repeat(1_000_000) }),
      undefined,
      /the file has \d+ bytes; it must be smaller than 1000000/,
    ],
    ["nothing", (): string => "", undefined, /the file is blank/],
  ] as const)("%s: says where and what would be valid, and starts nothing", (_what, text, page, message) => {
    const { code, said } = start(text(), page);
    expect(said).toMatch(message);
    expect(said).toContain("nothing was started");
    expect(code).toBe(1);
  });
});

describe("a missing secret", () => {
  it("is named by readyz; keys are answered 503, nothing crashes", async () => {
    const config = await configOf(folder.path, valid());
    const gateway = await startTestGateway(config, { secrets: {} });
    try {
      const ready = await send(undefined, `${gateway.urls[0]}/_weir/readyz`);
      expect(ready.status).toBe(503);
      expect(ready.body).toContain("WEIR_KEY_SECRET");
      const answer = await send(undefined, `${gateway.urls[0]}/`, { headers: await keyFor("acme") });
      expect(answer.status).toBe(503);
      expect(answer.body).toContain("key-secret-missing");
      expect((await send(undefined, `${gateway.urls[0]}/_weir/livez`)).status).toBe(200);
    } finally {
      await gateway.stop();
    }
  });
});

describe("a dead Tenant object", () => {
  it("leaves each limit to its fail mode, visibly", async () => {
    const plan = (failMode: string): unknown => ({
      limits: { requests: { rate: "10/s", burst: 20, failMode, deadline: "100ms" } },
    });
    const config = await configOf(folder.path, {
      ...valid(),
      plans: { closed: plan("closed"), open: plan("open"), local: plan("local") },
      tenants: { closed: { plan: "closed" }, open: { plan: "open" }, local: { plan: "local" } },
    });
    // So far away that no call of theirs comes back within the deadline.
    const gateway = await startTestGateway(config, { wanMs: 10_000 });
    try {
      const answers = async (tenant: string) => {
        const headers = await keyFor(tenant);
        return Promise.all(Array.from({ length: 12 }, () => send(undefined, `${gateway.urls[0]}/`, { headers })));
      };
      const closed = await answers("closed");
      expect(new Set(closed.map(({ status }) => status))).toEqual(new Set([503]));
      expect(closed[0]?.body).toContain("temporary-reduced-capacity");
      expect(Number(closed[0]?.retryAfter)).toBeGreaterThanOrEqual(1);
      const open = await answers("open");
      expect(open.map(({ status, decidedBy }) => `${status} ${decidedBy}`)).toEqual(open.map(() => "200 fail-open"));
      const local = await answers("local");
      const admitted = local.filter(({ status }) => status === 200);
      expect(admitted.length).toBeGreaterThanOrEqual(1);
      expect(admitted.length).toBeLessThanOrEqual(4);
      expect(admitted.every(({ decidedBy }) => decidedBy === "fail-local")).toBe(true);
      expect(local.filter(({ status }) => status === 429)).toHaveLength(12 - admitted.length);
    } finally {
      await gateway.stop();
    }
  });
});
