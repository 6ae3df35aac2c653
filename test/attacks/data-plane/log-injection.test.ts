/** Attack: what a client sends begins a line of the log, moves its reader's cursor, or leaves a secret there. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { MAX_LINE_BYTES } from "../../../src/platform/log.ts";
import { textOf } from "../../fuzz/inputs.ts";
import { waitUntil } from "../../support/gateway.ts";
import { attacked, get, raw, request, unused } from "./support/attack.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? 1);
const PIECES = [
  "%0a",
  "%0d%0a",
  "%1b[2J",
  "%e2%80%ae",
  "%22",
  '","level":"error","x":"',
  "{",
  "}",
  "%5c",
  "\\",
  "/",
  "/../",
  ";a=b",
  "é",
  "日本",
  "weir_",
  "eyJ.",
];
const CANARIES = {
  bearer: "canary-bearer-0123456789abcdef",
  cookie: "canary-cookie-0123456789abcdef",
  query: "canary-query-0123456789abcdef",
  parameter: "canary-parameter-0123456789abcdef",
  proxy: "canary-proxy-secret-0123456789abcdef",
  parent: "canary-traceparent",
  body: "canary-body-0123456789abcdef",
} as const;

/** Every line so far, whoever's request it is about: also those of the attacks that ran before this one. */
const lines = (): string[] => readFileSync(attacked.log, "utf8").split("\n").slice(0, -1);

async function written(after: number, count: number): Promise<string[]> {
  await waitUntil("the lines are written", 5_000, () => lines().length >= after + count);
  return lines().slice(after);
}

describe("the log", () => {
  it("has no secret of those that a request may carry, wherever it carries them", async () => {
    const before = lines().length;
    const secret = {
      authorization: `Bearer ${CANARIES.bearer}`,
      cookie: `session=${CANARIES.cookie}`,
      "x-weir-proxy-secret": CANARIES.proxy,
      traceparent: CANARIES.parent,
    };
    const path = `${unused("plain")};sid=${CANARIES.parameter}?token=${CANARIES.query}`;
    for (const key of [attacked.acme, `${attacked.acme}x`, attacked.nobody, attacked.adminToken]) {
      await get(path, { ...secret, "x-api-key": key });
    }
    for (const key of [attacked.acme, attacked.globex]) await get(`/keys/${key}/${key}`, secret);
    await raw(request(`POST ${path}`, [`Cookie: ${CANARIES.cookie}`, "Content-Length: 28"], CANARIES.body));
    const text = (await written(before, 7)).join("\n");
    // Of whatever was attacked before, too.
    const all = lines().join("\n");
    for (const canary of [...Object.values(CANARIES), attacked.acme, attacked.globex, attacked.nobody]) {
      expect(text).not.toContain(canary);
      expect(all).not.toContain(canary);
    }
    expect(text).toContain('"refusal":"invalid-key"');
    expect(text).toContain("/keys/[hidden]/");
  });

  it(`is one JSON object a line, legible and of ${MAX_LINE_BYTES} bytes at most, whatever is sent (seed ${SEED})`, async () => {
    const random = seeded(SEED);
    const before = lines().length;
    for (let number = 0; number < 150; number++) {
      const target = textOf(random, PIECES, 4_000).replaceAll(/[\s\0#]/g, "");
      const field = textOf(random, PIECES, 4_000).replaceAll(/[^\t\u0020-\u007e\u0080-\u00ff]/g, "?");
      const headers = [`User-Agent: ${field}`, `X-Request-Id: ${field}`, `Traceparent: ${field}`];
      await raw(Buffer.from(request(`GET /plain/${target}`, headers), "utf8"), 0);
    }
    await get(unused("plain"));
    const all = await written(before, 100);
    for (const line of all) {
      const fields: unknown = JSON.parse(line);
      expect(fields).toMatchObject({ time: expect.any(String), level: expect.stringMatching(/^(info|warn)$/) });
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES);
      expect(line).toMatch(/^[^\p{Cc}\p{Cf}\u2028\u2029]*$/u);
    }
  });
});
