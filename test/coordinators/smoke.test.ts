import { env } from "cloudflare:workers";
import { listDurableObjectIds } from "cloudflare:test";
import { expect, it } from "vitest";
it("starts with no objects", async () => {
  expect(await listDurableObjectIds(env.TENANT)).toHaveLength(0);
});
