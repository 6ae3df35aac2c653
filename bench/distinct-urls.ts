/**
 * What one isolate's tables weigh after so many distinct URLs, through the real pipeline: stored answers, missing pages,
 * answers that are not for others, failures, snapshots. Run as a process of its own (with --expose-gc); sends its figures
 * to the parent. Sockets, objects and the PoP's cache are elsewhere in production, so here they keep nothing.
 */
import { loadConfig } from "../src/config/load.ts";
import { Edge } from "../src/edge/edge.ts";
import { handle } from "../src/edge/pipeline.ts";
import type { Env } from "../src/platform/bindings.ts";
import { call } from "./coordinator-stand-in.ts";
import type { DistinctUrlFigures } from "./distinct-urls-report.ts";

/** Characters of a URL -> after how many of them the heap is looked at. */
const SHAPES: readonly { readonly characters: number; readonly counts: readonly number[] }[] = [
  { characters: 40, counts: [100_000, 1_000_000] },
  { characters: 4_000, counts: [50_000, 200_000] },
];
const BATCH = 200;

/** By turns: stored, missing, not for others, failed. */
async function originFetch(url: string): Promise<Response> {
  switch (Number(new URL(url).searchParams.get("n")) % 4) {
    case 0:
      return new Response("page", { headers: { "cache-control": "max-age=60", etag: '"1"' } });
    case 1:
      return new Response("none", { status: 404, headers: { "cache-control": "max-age=60" } });
    case 2:
      return new Response("yours", { headers: { "cache-control": "private" } });
    default:
      return new Response("broken", { status: 500 });
  }
}

const nothing = { match: async () => undefined, put: async () => undefined, delete: async () => false };
Object.assign(globalThis, { caches: { default: nothing }, fetch: originFetch });

async function newEdge(): Promise<Edge> {
  const text = JSON.stringify({
    version: 1,
    origins: { app: { url: "http://app.invalid", retry: { attempts: 1 } } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "900000/s", burst: 10_000_000 } } } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app", cache: { staleIfError: "1h", snapshot: "1m" } }],
  });
  const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return new Edge(loaded.config, "bench");
}

function heapMiB(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return Number((process.memoryUsage().heapUsed / 2 ** 20).toFixed(1));
}

async function measure({ characters, counts }: (typeof SHAPES)[number]): Promise<DistinctUrlFigures["shapes"][number]> {
  const edge = await newEdge();
  const kv = { get: async () => null, put: async () => undefined, delete: async () => undefined };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- WAN takes every call, so no namespace is touched
  const env = {
    WAN: { call },
    SNAPSHOTS: kv,
    WEIR_KEY_SECRET: "bench-key-secret-0123456789abcdefghij",
  } as unknown as Env;
  const pending = new Set<Promise<unknown>>();
  const context = {
    waitUntil: (work: Promise<unknown>) => {
      pending.add(work);
      work.catch(() => undefined).finally(() => pending.delete(work));
    },
    passThroughOnException: () => undefined,
  };
  const filler = "f".repeat(Math.max(0, characters - 40));
  const heaps: number[] = [];
  let sent = 0;
  for (const count of counts) {
    while (sent < count) {
      const until = Math.min(count, sent + BATCH);
      const answers: Promise<unknown>[] = [];
      for (; sent < until; sent++) {
        const request = new Request(`https://gateway.example/page?n=${sent}&${filler}`);
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the pipeline uses nothing else of it
        const whole = context as unknown as ExecutionContext;
        answers.push(Promise.resolve(handle(edge, request, env, whole)).then((answer) => answer.text()));
      }
      await Promise.all(answers);
    }
    heaps.push(heapMiB());
  }
  // Read after the look at the heap, so that the tables are still there for it.
  if (edge.responses.stats.misses < counts.length) throw new Error("nothing was looked up");
  return { characters, points: counts.map((urls, index) => ({ urls, heapMiB: heaps[index] ?? Number.NaN })) };
}

const shapes: DistinctUrlFigures["shapes"][number][] = [];
for (const shape of SHAPES) shapes.push(await measure(shape));
process.send?.({ shapes } satisfies DistinctUrlFigures);
process.exit(0);
