/**
 * What happens now, over one WebSocket. Lost, it is opened anew after a wait that doubles up to half a minute, with up to a
 * half of jitter, so that a gateway that comes back is not met by all dashboards at once. Nothing heard for SILENT_MS counts
 * as lost, too: the gateway says something every five seconds.
 */
import { batch, computed, signal } from "@preact/signals";
import { API_BASE, LIVE_PROTOCOL, type LiveTick } from "../../src/admin/contract.ts";
import { merged, within } from "../model/traffic.ts";

/** The gateway closes each socket so every five minutes: nothing is lost, it is to be opened again. */
const LET_IN_ANEW = 4_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const SILENT_MS = 12_000;
/** About five minutes, while something happens. */
const MAX_TICKS = 300;
const STEADY_MS = 5_000;

export type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** `sinceMs`: of the last that was heard. `nextTryAtMs` undefined: it is being tried. */
  | { readonly kind: "lost"; readonly sinceMs: number; readonly nextTryAtMs: number | undefined };

export const link = signal<Link>({ kind: "connecting" });
export const ticks = signal<readonly LiveTick[]>([]);
/**
 * The same, for drawing: each the mean of the seconds before it. Isolates tell what they counted once a second, so of two
 * ticks one may have a second's counts too many, and the next too few.
 */
export const steady = signal<readonly LiveTick["point"][]>([]);
export const latest = computed(() => ticks.value.at(-1));

/** Until what it gives back is called. */
export function startLive(): () => void {
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let stopped = false;

  const silent = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      lost();
    }, SILENT_MS);
  };
  const lost = (): void => {
    if (stopped || socket === undefined) return;
    const gone = socket;
    socket = undefined;
    gone.close();
    clearTimeout(timer);
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (1 - Math.random() / 2);
    failures++;
    const sinceMs = link.value.kind === "lost" ? link.value.sinceMs : (latest.value?.atMs ?? Date.now());
    link.value = { kind: "lost", sinceMs, nextTryAtMs: Date.now() + waitMs };
    timer = setTimeout(open, waitMs);
  };
  const open = (): void => {
    if (link.value.kind === "lost") link.value = { ...link.value, nextTryAtMs: undefined };
    const url = new URL(`${API_BASE}/live`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const opened = new WebSocket(url, LIVE_PROTOCOL);
    let heard = false;
    socket = opened;
    silent();
    opened.addEventListener("message", ({ data }) => {
      if (socket !== opened || stopped) return;
      const tick = tickOf(data);
      if (tick === undefined) return;
      heard = true;
      failures = 0;
      silent();
      if (link.value.kind !== "live") link.value = { kind: "live" };
      batch(() => {
        ticks.value = [...ticks.value.slice(-(MAX_TICKS - 1)), tick];
        const point = merged(within(ticks.value, STEADY_MS));
        steady.value = [...steady.value.slice(-(MAX_TICKS - 1)), point];
      });
    });
    opened.addEventListener("close", ({ code }) => {
      if (socket !== opened || stopped) return;
      if (code === LET_IN_ANEW && heard) open();
      else lost();
    });
  };
  open();
  return () => {
    stopped = true;
    clearTimeout(timer);
    socket?.close();
    ticks.value = [];
    steady.value = [];
  };
}

function tickOf(data: unknown): LiveTick | undefined {
  try {
    const value: unknown = typeof data === "string" ? JSON.parse(data) : undefined;
    if (typeof value !== "object" || value === null || !("v" in value) || value.v !== 1) return undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the version says what it is
    return value as LiveTick;
  } catch {
    return undefined;
  }
}
