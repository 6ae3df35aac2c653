/** Purges shared within a PoP, as `shared-views` shares views: an isolate that is new, or was idle, asks nobody far away. */
import { isEpoch, parsePurge, type PurgeNews } from "../policy/cache/purge.ts";
import { isRecord } from "../policy/kernel/json.ts";
import { readShared, writeShared } from "./shared-views.ts";

export interface SharedPurges {
  /** All of them. */
  readonly news: PurgeNews;
  /** When the coordinator was asked. */
  readonly askedAtMs: number;
}

/** Older ones are not taken: what they say would have to be asked again at once. */
export const SHARED_USABLE_MS = 1_500;
const NAME = "purges";

/** Undefined: none young enough, or no answer in time. */
export async function findSharedPurges(
  pop: string,
  originId: string,
  nowMs: number,
): Promise<SharedPurges | undefined> {
  const shared = await readShared(pop, originId, NAME, parse);
  return shared === undefined || Math.abs(nowMs - shared.askedAtMs) > SHARED_USABLE_MS ? undefined : shared;
}

export async function tellSharedPurges(pop: string, originId: string, shared: SharedPurges): Promise<void> {
  await writeShared(pop, originId, NAME, shared);
}

function parse(value: unknown): SharedPurges | undefined {
  if (!isRecord(value) || !isRecord(value["news"])) return undefined;
  const { askedAtMs } = value;
  const { epoch, purges, floors } = value["news"];
  if (typeof askedAtMs !== "number" || !isEpoch(epoch) || !Array.isArray(purges) || !isRecord(floors)) return undefined;
  const [soft, hard] = [parseFloor(floors["soft"]), parseFloor(floors["hard"])];
  if (soft === undefined || hard === undefined) return undefined;
  const parsed: PurgeNews["purges"][number][] = [];
  for (const told of purges) {
    const purge = parsePurge(told);
    const ageMs: unknown = isRecord(told) ? told["ageMs"] : undefined;
    if (purge === undefined || typeof ageMs !== "number") return undefined;
    parsed.push({ ...purge, ageMs });
  }
  return { askedAtMs, news: { epoch, purges: parsed, floors: { soft, hard } } };
}

function parseFloor(value: unknown): { readonly epoch: number; readonly ageMs: number } | undefined {
  if (!isRecord(value)) return undefined;
  const { epoch, ageMs } = value;
  return isEpoch(epoch) && typeof ageMs === "number" ? { epoch, ageMs } : undefined;
}
