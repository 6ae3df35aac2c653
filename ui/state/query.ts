/** Reading the admin API again and again, while the page is looked at. What was read last is kept when a reading fails. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { call, type Refused } from "../api.ts";

export interface Query<Value> {
  /** Undefined: nothing was read yet. */
  readonly value: Value | undefined;
  readonly atMs: number;
  /** Why the newest reading failed; undefined: it did not. */
  readonly refused: Refused | undefined;
  readonly refresh: () => void;
}

interface Read<Value> {
  readonly path: string | undefined;
  readonly value: Value | undefined;
  readonly atMs: number;
  readonly refused: Refused | undefined;
}

const nothing = { value: undefined, atMs: 0, refused: undefined };

/** `path` undefined: nothing is read. `everyMs` undefined: once, and when told to. */
export function useQuery<Value>(path: string | undefined, everyMs?: number): Query<Value> {
  const [read, setRead] = useState<Read<Value>>({ path, ...nothing });
  const [turn, setTurn] = useState(0);
  const refresh = useCallback(() => {
    setTurn((before) => before + 1);
  }, []);
  useEffect(() => {
    if (path === undefined) return undefined;
    const stop = new AbortController();
    const ask = async (): Promise<void> => {
      const reply = await call<Value>("GET", path, { signal: stop.signal });
      if (stop.signal.aborted) return;
      setRead((before) => {
        if (reply.kind === "ok") return { path, value: reply.value, atMs: Date.now(), refused: undefined };
        return before.path === path ? { ...before, refused: reply } : { path, ...nothing, refused: reply };
      });
    };
    const askIfSeen = (): void => {
      if (!document.hidden) void ask();
    };
    void ask();
    const timer = everyMs === undefined ? undefined : setInterval(askIfSeen, everyMs);
    if (everyMs !== undefined) document.addEventListener("visibilitychange", askIfSeen);
    return () => {
      stop.abort();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", askIfSeen);
    };
  }, [path, everyMs, turn]);
  const current = read.path === path ? read : { path, ...nothing };
  return { value: current.value, atMs: current.atMs, refused: current.refused, refresh };
}

/** The time, again and again. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [everyMs]);
  return now;
}
