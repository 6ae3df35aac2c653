/** A client that leaves: its origin call ends with it, and says nothing against the origin. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Gateway, withKey, eventually } from "./gateway.ts";

afterEach(async () => {
  vi.unstubAllGlobals();
  await reset();
});

/** Never answers; ends when it is aborted. */
function hangingOrigin(): { readonly calls: () => number; readonly aborted: () => number } {
  let calls = 0;
  let aborted = 0;
  vi.stubGlobal("fetch", (_: string, { signal }: { signal: AbortSignal }) => {
    calls++;
    return new Promise((_resolve, reject) => {
      const leave = (): void => {
        aborted++;
        reject(new DOMException("aborted", "AbortError"));
      };
      if (signal.aborted) leave();
      signal.addEventListener("abort", leave);
    });
  });
  return { calls: () => calls, aborted: () => aborted };
}

const ROOMY = { plans: { open: { limits: { requests: { rate: "1000/s", burst: 1_000 } } } } };

describe("a client that leaves", () => {
  it("ends its origin call, which is not retried, counts for nothing, and gives its slot back", async () => {
    const origin = hangingOrigin();
    const gateway = await Gateway.of({
      ...ROOMY,
      origins: { app: { url: "https://app.example", concurrency: 1, retry: { attempts: 3 } } },
    });
    const key = await withKey("192.0.2.1");
    for (let client = 1; client <= 3; client++) {
      const controller = new AbortController();
      const answer = gateway.send(key, "/", { signal: controller.signal });
      await eventually(() => expect(origin.calls()).toBe(client));
      controller.abort();
      expect((await answer).status).toBe(499);
      expect(origin.aborted()).toBe(client);
    }
    expect(origin.calls()).toBe(3);
    await gateway.settled();
    const { counts, score } = await env.ORIGIN.getByName("origin:app").status();
    expect({ counts, score }).toEqual({ counts: expect.not.objectContaining({ timeout: 1 }), score: 0 });
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(0);
  });

  it("that was gone before the call is not called for", async () => {
    const origin = hangingOrigin();
    const gateway = await Gateway.of(ROOMY);
    const answer = await gateway.send(await withKey("192.0.2.1"), "/", { signal: AbortSignal.abort() });
    expect(answer.status).toBe(499);
    expect(origin.aborted()).toBe(origin.calls());
  });
});
