/**
 * An origin that remembers every exchange. Each answer carries the number of its exchange, in a header and all over its
 * body, so that whoever gets any part of it can be traced to the request it was made for.
 */

/** What an origin can tell callers apart by. */
export const MARKS = ["authorization", "cookie", "accept-language", "x-flavour"] as const;

/** How a resource answers from now on. Empty texts are fields that are not sent. */
export interface Manner {
  readonly status: number;
  readonly cacheControl: string;
  readonly cdnCacheControl: string;
  readonly vary: string;
  readonly setCookie: boolean;
  /** Tags are of the content alone, or of the content and everything the origin can tell callers apart by. */
  readonly tagsBy: "content" | "caller";
  readonly lastModified: boolean;
}

export interface OriginExchange {
  readonly serial: number;
  readonly step: number;
  readonly atMs: number;
  readonly method: string;
  /** Scheme and authority as the origin was told, path and query. */
  readonly url: string;
  readonly traceId: string;
  readonly marks: Readonly<Record<string, string | null>>;
  readonly manner: Manner;
  readonly status: number;
}

const DIGITS = 9;
const REPEATS = 6;
/** Any so many bytes of a body contain the whole number. */
export const TRACEABLE_BYTES = 2 * (DIGITS + 1);

export const bodyOf = (serial: number): string => `${String(serial).padStart(DIGITS, "0")}|`.repeat(REPEATS);

/** Numbers of exchanges in a body, or in a part of one. */
export function serialsIn(body: string): readonly number[] {
  const found = body.match(/\d{9}(?=\|)/g) ?? [];
  return [...new Set(found.map(Number))];
}

export class RememberingOrigin {
  readonly exchanges: OriginExchange[] = [];
  manner: Manner | undefined;
  /** Of the content; the next one changes it. */
  version = 1;
  step = 0;
  /** Calls fail as if nobody listened. */
  down = false;
  /** Turns of the event loop before it answers: so long, others can come. */
  turns = 0;

  /** Takes the place of the runtime's `fetch`. */
  readonly fetch = async (url: string, init: { method: string; headers: Headers }): Promise<Response> => {
    const { manner, version, step, down } = this;
    for (let turn = 0; turn < this.turns; turn++) await Promise.resolve();
    if (down) throw new Error("Network connection lost.");
    if (manner === undefined) throw new Error("the origin was asked too early");
    const { method, headers } = init;
    const marks = Object.fromEntries(MARKS.map((name) => [name, headers.get(name)]));
    const tag = `"${version}${manner.tagsBy === "caller" ? `-${encodeURIComponent(JSON.stringify(marks))}` : ""}"`;
    const conditional = manner.status === 200 && headers.get("if-none-match") === tag;
    const partial = manner.status === 200 && !conditional && headers.has("range");
    const status = conditional ? 304 : partial ? 206 : manner.status;
    const { pathname, search } = new URL(url);
    const site = `${headers.get("x-forwarded-proto")}://${headers.get("x-forwarded-host")}`;
    const serial = this.exchanges.length;
    this.exchanges.push({
      serial,
      step,
      atMs: Date.now(),
      method,
      url: site + pathname + search,
      traceId: (headers.get("traceparent") ?? "").slice(36, 52),
      marks,
      manner,
      status,
    });
    // An update must be able to take a field away: it sends it empty.
    return new Response(bodyFor(serial, method, status), {
      status,
      headers: fieldsOf(manner, tag, serial, status, conditional || method === "HEAD"),
    });
  };
}

function bodyFor(serial: number, method: string, status: number): string | null {
  if (method === "HEAD" || status === 304 || status === 204) return null;
  return status === 206 ? bodyOf(serial).slice(0, TRACEABLE_BYTES) : bodyOf(serial);
}

function fieldsOf(manner: Manner, tag: string, serial: number, status: number, isUpdate: boolean): Headers {
  const headers = new Headers({ "x-serial": String(serial), etag: tag });
  const set = (name: string, value: string): void => {
    if (value !== "" || isUpdate) headers.set(name, value);
  };
  set("cache-control", manner.cacheControl);
  set("cdn-cache-control", manner.cdnCacheControl);
  set("vary", manner.vary);
  if (manner.setCookie) headers.set("set-cookie", `of=${serial}`);
  if (manner.lastModified) headers.set("last-modified", "Mon, 02 Nov 2026 08:00:00 GMT");
  if (status === 206) headers.set("content-range", `bytes 0-${TRACEABLE_BYTES - 1}/${bodyOf(serial).length}`);
  return headers;
}
