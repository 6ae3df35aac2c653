/** Snapshots: a PoP that never saw a page serves it while the origin is down; what the origin took back is not served. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { eventually, from, Gateway, KEY, origin, withKey } from "./gateway.ts";

const config = (cache: Record<string, unknown> = {}): Record<string, unknown> => ({
  origins: { app: { url: "https://app.example", retry: { attempts: 1 } } },
  plans: { open: { limits: { requests: { rate: "1000/s", burst: 1_000 } } } },
  tenants: { acme: { plan: "open" }, other: { plan: "open" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app", cache: { snapshot: "1m", ttl: "1s", ...cache } }],
});
const caller = from("192.0.2.1");
const answers = (body: string, headers: Record<string, string> = {}, status = 200): void => {
  origin(() => new Response(body, { status, headers }));
};
const dies = (): void => {
  origin(() => {
    throw new Error("Network connection lost.");
  });
};
const namesInKv = async (): Promise<string[]> => ((await env.SNAPSHOTS?.list())?.keys ?? []).map(({ name }) => name);

/** A gateway in a PoP of its own has sent this request, and all that goes on behind it has ended. */
async function sentOnce(file: Record<string, unknown>, headers = caller, path = "/page"): Promise<Response> {
  const gateway = await Gateway.of(file);
  const answer = await gateway.send(headers, path);
  await gateway.settled();
  return answer;
}

/** The same, but nobody waits for what goes on behind it. */
const asked = async (file: Record<string, unknown>, headers = caller, path = "/page"): Promise<Response> =>
  (await Gateway.of(file)).send(headers, path);

afterEach(async () => {
  await Gateway.allSettled();
  vi.unstubAllGlobals();
  await reset();
});

describe("a snapshot", () => {
  it("is served by a PoP that never saw the page, while the origin is down", async () => {
    answers("<h1>boots</h1>", { "content-type": "text/html", etag: '"v1"' });
    await sentOnce(config());
    dies();
    const answer = await asked(config());
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("<h1>boots</h1>");
    expect(answer.headers.get("weir-served")).toBe("snapshot");
    expect(answer.headers.get("cache-status")).toContain("detail=snapshot");
    expect(answer.headers.get("content-type")).toBe("text/html");
    expect(Number(answer.headers.get("age"))).toBeGreaterThanOrEqual(0);
    expect((await asked(config(), { ...caller, "if-none-match": '"v1"' })).status).toBe(304);
    expect((await asked(config(), caller, "/elsewhere")).status).toBe(503);
  });

  it("is written once for the world while the content stays the same", async () => {
    answers("same");
    const written: number[] = [];
    for (let pop = 0; pop < 3; pop++) {
      const gateway = await Gateway.of(config());
      await gateway.send(caller, "/page");
      await gateway.settled();
      written.push(gateway.edge.snapshots.stats.written);
    }
    expect(written).toEqual([1, 0, 0]);
    expect(await namesInKv()).toHaveLength(1);
  });

  it("is of the right variant", async () => {
    for (const language of ["de", "fr"]) {
      answers(`page in ${language}`, { vary: "Accept-Language" });
      await sentOnce(config(), { ...caller, "accept-language": language });
    }
    dies();
    for (const language of ["de", "fr"]) {
      const answer = await asked(config(), { ...caller, "accept-language": language });
      expect(await answer.text()).toBe(`page in ${language}`);
    }
    expect((await asked(config(), { ...caller, "accept-language": "ja" })).status).toBe(503);
  });

  it("of a tenant's own pages is for that tenant alone", async () => {
    const own = config({ scope: "tenant" });
    answers("for acme only");
    await sentOnce(own, await withKey("192.0.2.1", KEY, "acme"));
    dies();
    expect(await (await asked(own, await withKey("192.0.2.1", KEY, "acme"))).text()).toBe("for acme only");
    expect((await asked(own, await withKey("192.0.2.1", KEY, "other"))).status).toBe(503);
    expect((await asked(own)).status).toBe(503);
  });

  it("is never taken of an answer that is not for everybody, or must be revalidated", async () => {
    const gateway = await Gateway.of(config());
    for (const [name, value] of [
      ["set-cookie", "a=b"],
      ["cache-control", "private"],
      ["cache-control", "no-store"],
      ["cache-control", "max-age=60, must-revalidate"],
      ["cache-control", "s-maxage=60"],
      ["cache-control", "no-cache"],
      ["vary", "*"],
    ] as const) {
      answers("not for everybody", { [name]: value });
      await gateway.send(caller, `/${name}/${encodeURIComponent(value)}`);
    }
    await gateway.settled();
    expect(await namesInKv()).toEqual([]);
  });

  it("is gone when the origin has said since that this is no answer any more", async () => {
    const statuses = [401, 403, 404, 410];
    const gateway = await Gateway.of(config());
    answers("was here");
    for (const status of statuses) await gateway.send(caller, `/${status}`);
    await gateway.settled();
    expect(await namesInKv()).toHaveLength(4);
    const later = await Gateway.of(config());
    for (const status of statuses) {
      answers("no more", {}, status);
      await later.send(caller, `/${status}`);
    }
    await later.settled();
    dies();
    const elsewhere = await Gateway.of(config());
    for (const status of statuses) {
      const answer = await elsewhere.send(caller, `/${status}`);
      expect([answer.status, answer.headers.get("weir-served")]).toEqual([503, "fallback"]);
    }
    expect(await namesInKv()).toEqual([]);
  });

  it("is gone also when it came back in between, here or in another isolate", async () => {
    const gateway = await Gateway.of(config({ ttl: "0ms" }));
    const elsewhere = await Gateway.of(config({ ttl: "0ms" }));
    for (const [path, writer] of [
      ["/here", gateway],
      ["/elsewhere", elsewhere],
    ] as const) {
      for (const from of [gateway, writer]) {
        answers("is here", { "cache-control": "public, max-age=0" });
        await from.send(caller, path);
        await eventually(async () => expect(await namesInKv()).toHaveLength(1));
        answers("is gone", {}, 410);
        await gateway.send(caller, path);
        await vi.waitFor(async () => expect(await namesInKv()).toEqual([]), { timeout: 12_000 });
      }
    }
  }, 30_000);

  it("that KV still shows after it was taken back is not served; without the coordinator's word it is", async () => {
    answers("was here");
    await sentOnce(config());
    const [name = ""] = await namesInKv();
    const kept = await env.SNAPSHOTS?.get(name, "arrayBuffer");
    answers("no more", {}, 410);
    await sentOnce(config());
    await env.SNAPSHOTS?.put(name, kept ?? "");
    dies();
    expect((await asked(config())).status).toBe(503);
    const cutOff = await Gateway.of(config());
    cutOff.cutOff("ORIGIN");
    expect((await cutOff.send(caller, "/page")).headers.get("weir-served")).toBe("snapshot");
  });

  it("that cannot be read is none", async () => {
    answers("fine");
    await sentOnce(config());
    const [name = ""] = await namesInKv();
    for (const broken of ["", "no line break", "{}\nbody", "not json\nbody", "\n"]) {
      await env.SNAPSHOTS?.put(name, broken);
      dies();
      expect((await (await Gateway.of(config())).send(caller, "/page")).status).toBe(503);
    }
  });
});
