/** A normalised config as it is stored and sent: gzipped JSON with a version. What comes back is checked before it is used. */
import { boundedText } from "../http/bounded-text.ts";
import { isRecord } from "../policy/kernel/json.ts";
import type { Config } from "./model.ts";
import { normaliseWatching } from "./normalise-watching.ts";

const PACKED_VERSION = 1;
/** Unpacked; ten thousand tenants with limits of their own have about 5 MB. */
const MAX_JSON_BYTES = 33_554_432;

export async function packConfig(config: Config): Promise<Uint8Array> {
  const json = new Blob([JSON.stringify({ v: PACKED_VERSION, config })]);
  const packed = json.stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** Throws on what is none of ours, of another version, or too large. */
export async function unpackConfig(packed: Uint8Array<ArrayBuffer>): Promise<Config> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await boundedText(stream, MAX_JSON_BYTES);
  if (text === undefined) throw new RangeError(`a config of more than ${MAX_JSON_BYTES} bytes`);
  const value: unknown = JSON.parse(text);
  if (!isRecord(value) || value["v"] !== PACKED_VERSION) throw new TypeError("a config of another version");
  const { config } = value;
  if (!isConfig(config)) throw new TypeError("no config");
  // What an older release stored says nothing of them.
  return { ...normaliseWatching({}), ...config };
}

const LISTS = ["origins", "identity", "tenants", "routes"] as const;

/** Its outline: what is inside was checked when it was made, and compiling it finds what does not fit. */
function isConfig(value: unknown): value is Config {
  if (!isRecord(value)) return false;
  const { configVersion, hash, plans, pages } = value;
  if (typeof configVersion !== "number" || typeof hash !== "string" || !isRecord(plans) || !isRecord(pages))
    return false;
  return LISTS.every((name) => Array.isArray(value[name]));
}
