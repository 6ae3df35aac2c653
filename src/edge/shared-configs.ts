/**
 * The PoP's copy of configs: a new isolate learns from its neighbours what is in force, and its content, instead of from
 * the other side of the world. What comes back is checked.
 */
import { isRecord } from "../policy/kernel/json.ts";
import { type ConfigInForce, parseInForce } from "../policy/rollout/rollout.ts";
import { leave, lookUp } from "./pop-cache.ts";

const DEADLINE_MS = 50;
/** What a neighbour heard is believed for so long. */
const IN_FORCE_MS = 2_000;
const CONTENT_LIFE_MS = 604_800_000;
const HOST = "https://weir-configs.invalid";

export interface SharedInForce {
  readonly inForce: ConfigInForce;
  /** Hash of the config in the bundle of the isolate that told it. */
  readonly bundle: string;
}

export class SharedConfigs {
  readonly #base: string;

  constructor(pop: string) {
    this.#base = `${HOST}/${encodeURIComponent(pop)}`;
  }

  /** Undefined: no neighbour has told it lately. */
  inForce(nowMs: number): Promise<SharedInForce | undefined> {
    return lookUp(`${this.#base}/in-force`, DEADLINE_MS, async (response) => parse(await response.json(), nowMs));
  }

  tell(inForce: ConfigInForce, bundle: string, atMs: number): Promise<void> {
    return leave(`${this.#base}/in-force`, JSON.stringify({ inForce, bundle, atMs }), IN_FORCE_MS);
  }

  read(number: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return lookUp(
      `${this.#base}/${number}`,
      DEADLINE_MS,
      async (response) => new Uint8Array(await response.arrayBuffer()),
    );
  }

  keep(number: number, packed: Uint8Array): Promise<void> {
    return leave(`${this.#base}/${number}`, packed, CONTENT_LIFE_MS);
  }
}

function parse(value: unknown, nowMs: number): SharedInForce | undefined {
  if (!isRecord(value) || !("bundle" in value)) return undefined;
  const { inForce: told, bundle, atMs } = value;
  if (typeof atMs !== "number" || Math.abs(nowMs - atMs) > IN_FORCE_MS) return undefined;
  const inForce = parseInForce(told);
  return inForce === undefined ? undefined : { inForce, bundle: String(bundle) };
}
