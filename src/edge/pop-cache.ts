/** What isolates of a PoP tell each other through its cache. One that fails, is slow, or is not there (workers.dev) is a miss. */
import { withDeadline } from "../platform/coordinators.ts";

/** Undefined: a miss, or what `read` makes of what is there. */
export async function lookUp<Found>(
  url: string,
  deadlineMs: number,
  read: (response: Response) => Found | Promise<Found>,
): Promise<Found | undefined> {
  try {
    const response = await withDeadline(caches.default.match(url), deadlineMs);
    return response === undefined ? undefined : await read(response);
  } catch {
    return undefined;
  }
}

/** For `lifeMs` at most. Where it cannot be left, the next isolate asks whom this one asked. */
export async function leave(
  url: string,
  content: string | Uint8Array,
  lifeMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const cacheControl = `public, max-age=${Math.ceil(lifeMs / 1_000)}`;
  try {
    await caches.default.put(url, new Response(content, { headers: { ...headers, "cache-control": cacheControl } }));
  } catch {
    // Nothing is lost.
  }
}
