/**
 * The PoP's copy of configs: a new isolate learns from its neighbours what is in force, and its content, instead of from
 * the other side of the world. A cache that fails, or is not there (workers.dev), is a miss. What comes back is checked.
 */
import { withDeadline } from "../platform/coordinators.ts";
import { type ConfigInForce, parseInForce } from "../policy/rollout/rollout.ts";

const DEADLINE_MS = 50;
/** What a neighbour heard is believed for so long. */
const IN_FORCE_MS = 2_000;
const CONTENT_CACHE_CONTROL = "public, max-age=604800";
const HOST = "https://weir-configs.invalid";

export interface SharedInForce {
  readonly inForce: ConfigInForce;
  /** Hash of the config in the bundle of the isolate that told it. */
  readonly bundle: string;
}

export class SharedConfigs {
  readonly stats = { failures: 0 };
  readonly #base: string;

  constructor(pop: string) {
    this.#base = `${HOST}/${encodeURIComponent(pop)}`;
  }

  async inForce(nowMs: number): Promise<SharedInForce | undefined> {
    try {
      const response = await withDeadline(caches.default.match(`${this.#base}/in-force`), DEADLINE_MS);
      const value: unknown = await response?.json();
      if (typeof value !== "object" || value === null || !("inForce" in value && "bundle" in value)) return undefined;
      if (!("atMs" in value) || typeof value.atMs !== "number" || Math.abs(nowMs - value.atMs) > IN_FORCE_MS) {
        return undefined;
      }
      const inForce = parseInForce(value.inForce);
      return inForce === undefined ? undefined : { inForce, bundle: String(value.bundle) };
    } catch {
      this.stats.failures++;
      return undefined;
    }
  }

  tell(inForce: ConfigInForce, bundle: string, atMs: number): Promise<void> {
    const headers = { "cache-control": `public, max-age=${Math.ceil(IN_FORCE_MS / 1_000)}` };
    return this.#put("in-force", new Response(JSON.stringify({ inForce, bundle, atMs }), { headers }));
  }

  async read(number: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const response = await withDeadline(caches.default.match(`${this.#base}/${number}`), DEADLINE_MS);
      return response === undefined ? undefined : new Uint8Array(await response.arrayBuffer());
    } catch {
      this.stats.failures++;
      return undefined;
    }
  }

  keep(number: number, packed: Uint8Array): Promise<void> {
    return this.#put(String(number), new Response(packed, { headers: { "cache-control": CONTENT_CACHE_CONTROL } }));
  }

  /** The next isolate asks the coordinator. */
  async #put(name: string, response: Response): Promise<void> {
    try {
      await caches.default.put(`${this.#base}/${name}`, response);
    } catch {
      this.stats.failures++;
    }
  }
}
