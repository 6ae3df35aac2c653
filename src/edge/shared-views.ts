/**
 * Views of breakers shared within a PoP, through its cache: an isolate that is new, or was idle, learns the state from
 * its neighbours instead of from the other side of the world. Where the platform has no such cache (workers.dev) every
 * look-up is a miss. What comes back is checked: other versions of us write there, too.
 */
import { type BreakerView, VIEW_USABLE_MS } from "../policy/breaker/view.ts";
import { areMaintenances } from "./maintenance.ts";
import { leave, lookUp } from "./pop-cache.ts";

export interface SharedView {
  readonly view: BreakerView;
  readonly atMs: number;
}

const DEADLINE_MS = 20;
/** A view of the same epoch is told again after this long. */
const TELL_AGAIN_MS = 1_000;
const HOST = "https://weir-views.invalid";
const STATES: readonly string[] = ["closed", "forced-closed", "forced-open", "open", "half-open", "ramp"];

export class SharedViews {
  /** What this isolate told last, by origin: bounded by the config. */
  readonly #told = new Map<string, { readonly epoch: number; readonly atMs: number }>();

  /** Undefined: none young enough, or no answer in time. */
  async find(pop: string, originId: string, nowMs: number): Promise<SharedView | undefined> {
    const shared = await readShared(pop, originId, "", parse);
    return shared === undefined || Math.abs(nowMs - shared.atMs) > VIEW_USABLE_MS ? undefined : shared;
  }

  async tell(pop: string, originId: string, shared: SharedView): Promise<void> {
    const told = this.#told.get(originId);
    const { view, atMs } = shared;
    if (told !== undefined && view.epoch <= told.epoch && atMs - told.atMs < TELL_AGAIN_MS) return;
    this.#told.set(originId, { epoch: view.epoch, atMs });
    await writeShared(pop, originId, "", shared);
  }
}

/** `name`: of what is shared beside the view. On a miss the coordinator is asked anyway. */
export function readShared<Shared>(
  pop: string,
  originId: string,
  name: string,
  parseShared: (value: unknown) => Shared | undefined,
): Promise<Shared | undefined> {
  return lookUp(urlOf(pop, originId, name), DEADLINE_MS, async (response) => parseShared(await response.json()));
}

export function writeShared(pop: string, originId: string, name: string, shared: unknown): Promise<void> {
  return leave(urlOf(pop, originId, name), JSON.stringify(shared), VIEW_USABLE_MS);
}

const urlOf = (pop: string, originId: string, name: string): string =>
  `${HOST}/${encodeURIComponent(pop)}/${encodeURIComponent(originId)}${name === "" ? "" : `?${name}`}`;

function parse(value: unknown): SharedView | undefined {
  if (typeof value !== "object" || value === null || !("view" in value) || !("atMs" in value)) return undefined;
  const { view, atMs } = value;
  return typeof atMs === "number" && isView(view) ? { view, atMs } : undefined;
}

function isView(value: unknown): value is BreakerView {
  if (typeof value !== "object" || value === null || !("state" in value) || !("epoch" in value)) return false;
  const { state, epoch } = value;
  if (typeof state !== "string" || !STATES.includes(state) || typeof epoch !== "number") return false;
  if ("maintenance" in value && !areMaintenances(value.maintenance)) return false;
  const has = (name: string): boolean => name in value && typeof Reflect.get(value, name) === "number";
  if (state === "ramp") return has("rampAgeMs") && has("rampMs");
  return state === "open" || state === "half-open" ? has("nextProbeInMs") : has("popOpenForMs");
}
