/** Commands that go on until Ctrl-C. */
import { setTimeout as sleep } from "node:timers/promises";
import { CliError, EXIT } from "./output.ts";

/** Its turns, the first at once, `most` of them at most. Ctrl-C ends it, also between two turns. */
export async function* turns(intervalMs: number, most = Number.POSITIVE_INFINITY): AsyncGenerator<number> {
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    for (let turn = 0; turn < most && !stopped.signal.aborted; turn++) {
      if (turn > 0) await sleep(intervalMs, undefined, { signal: stopped.signal }).catch(() => undefined);
      if (!stopped.signal.aborted) yield turn;
    }
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

/** Undefined: it was not given. */
export function countArgument(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new CliError(`--${name} must be a whole number from 1 on, not "${text}"`, EXIT.usage);
}
