/**
 * Whether this caller could have got exactly this answer from the origin. Written from the specifications alone, and
 * otherwise than the cache: it knows nothing of keys, entries and freshness, only who asked, and what the origin said
 * about its answer. Sources: RFC 9111 sections 3, 3.5, 4.1, 5.2.2; RFC 9213; SECURITY.md for what is stricter than these.
 */
import { type OriginExchange, serialsIn } from "./origin.ts";

export interface Question {
  readonly step: number;
  readonly atMs: number;
  readonly method: string;
  readonly url: string;
  readonly scope: "shared" | "tenant";
  /** Undefined: an anonymous caller. */
  readonly tenant: string | undefined;
  /** As the origin would see them. */
  readonly marks: Readonly<Record<string, string | null>>;
  readonly ranged: boolean;
  /** Its key had been revoked long enough ago. */
  readonly revoked: boolean;
}

export interface Answer {
  readonly status: number;
  readonly served: string;
  readonly requestId: string;
  readonly serial: string | null;
  readonly setCookie: string | null;
  readonly body: string;
}

/** Who was asked for in an exchange, which the origin itself does not know. */
export interface Asker {
  readonly tenant: string | undefined;
  readonly scope: "shared" | "tenant";
}

export interface Knowledge {
  readonly exchanges: readonly OriginExchange[];
  askerOf(exchange: OriginExchange): Asker | undefined;
  /** The last step at which the origin took back what is stored under the same name here; -1: it never did. */
  retiredAt(question: Question): number;
}

/** Undefined: it could. Otherwise why not. */
export function whyLeaked(question: Question, answer: Answer, known: Knowledge): string | undefined {
  if (question.revoked) return answer.status === 401 ? undefined : "its key is revoked";
  const numbers = new Set(serialsIn(answer.body));
  if (answer.serial !== null) numbers.add(Number(answer.serial));
  if (numbers.size === 0) return answer.setCookie === null ? undefined : "a cookie of nobody's answer";
  if (answer.status === 206 && !question.ranged) return "a part, and it asked for the whole";
  const governing = known.exchanges[Number(answer.serial ?? NaN)];
  if (governing === undefined) return "a body without its fields";
  for (const number of numbers) {
    const made = known.exchanges[number];
    if (made === undefined) return "an answer that never was";
    const why = whyNotOfThisPlace(question, made, known.askerOf(made));
    if (why !== undefined) return why;
  }
  if (isOwn(answer, governing)) return undefined;
  return answer.status >= 500
    ? whyNotToldOfFailure(question, governing)
    : whyNotShared(question, answer, governing, known);
}

const isOwn = ({ requestId }: Answer, { traceId }: OriginExchange): boolean => requestId.slice(-16) === traceId;

function whyNotOfThisPlace(question: Question, made: OriginExchange, asker: Asker | undefined): string | undefined {
  if (made.url !== question.url) return `an answer for ${made.url}`;
  if (asker === undefined) return "an answer to nobody";
  if (question.scope === "tenant" && asker.tenant !== question.tenant) {
    return `made for ${asker.tenant ?? "an anonymous caller"}`;
  }
  return undefined;
}

/** Concurrent equal requests may hear of one failure, when the origin could not have told them apart. */
function whyNotToldOfFailure(question: Question, made: OriginExchange): string | undefined {
  const why = whyNotToldNow(question, made);
  return why !== undefined && isKept(made) ? whyNotPermitted(question, made) : why;
}

function whyNotToldNow(question: Question, made: OriginExchange): string | undefined {
  if (made.step !== question.step) return "a failure of another time";
  for (const name of ["authorization", "cookie"]) {
    if (made.marks[name] !== null || question.marks[name] !== null) return `a failure made for a ${name}`;
  }
  if (made.manner.setCookie) return "a failure with somebody's cookie";
  return whyAnotherVariant(question, made);
}

/** A failure may be kept where the origin says how long, or that it is for all (RFC 9111 section 4.2.2). */
const isKept = ({ manner }: OriginExchange): boolean =>
  directivesOf(manner).some(([name]) => name.endsWith("age") || name === "public");

/** Statuses by which an origin takes back what it had answered before. */
export const TAKES_BACK: readonly number[] = [401, 403, 404, 410];

function whyNotShared(question: Question, answer: Answer, made: OriginExchange, known: Knowledge): string | undefined {
  const why = whyNotPermitted(question, made);
  if (why !== undefined) return why;
  const positive = !TAKES_BACK.includes(made.status);
  if (positive && made.step < known.retiredAt(question) && known.retiredAt(question) < question.step)
    return "it had been taken back";
  const names = directivesOf(made.manner).map(([name]) => name);
  if (names.includes("no-cache")) return "no-cache, and the origin was not asked";
  const strict = ["must-revalidate", "proxy-revalidate", "s-maxage"].find((name) => names.includes(name));
  const notAsked = answer.served === "stale" || answer.served === "snapshot";
  if (strict !== undefined && notAsked && !isFresh(question, made)) return `${strict}, and stale`;
  return undefined;
}

/** Where the origin says nothing a cache may take its own guess (RFC 9111 section 4.2.2): ours is a day at most. */
const HEURISTIC_SECONDS = 86_400;

/** Answers that were fresh when the client wanted better ones, and none could be had, are none the worse. */
function isFresh({ atMs }: Question, made: OriginExchange): boolean {
  const directives = new Map(directivesOf(made.manner));
  const seconds = directives.get("s-maxage") ?? directives.get("max-age") ?? HEURISTIC_SECONDS;
  return atMs - made.atMs < Number(seconds) * 1_000;
}

/** What the origin said about the answer, and the request it was made for, lets others have it. */
function whyNotPermitted(question: Question, made: OriginExchange): string | undefined {
  const names = directivesOf(made.manner).map(([name]) => name);
  if (names.includes("no-store")) return "no-store";
  if (made.manner.setCookie && made.status !== 304) return "with somebody's cookie";
  const { authorization, cookie } = made.marks;
  const personal = authorization !== null || cookie !== null;
  if (names.includes("private") && (question.scope === "shared" || personal)) return "private";
  const mayShare = ["public", "s-maxage", "must-revalidate"].some((name) => names.includes(name));
  if (authorization !== null && !mayShare) return "made for an Authorization";
  const explicit = ["public", "s-maxage", "max-age"].some((name) => names.includes(name));
  if (cookie !== null && !explicit) return "made for a Cookie, and the origin did not say that others may have it";
  return whyAnotherVariant(question, made);
}

function whyAnotherVariant(question: Question, { manner, marks }: OriginExchange): string | undefined {
  for (const field of manner.vary.split(",")) {
    const name = field.trim().toLowerCase();
    if (name === "") continue;
    if (name === "*") return "Vary: *";
    if (sameValue(name, marks[name] ?? null, question.marks[name] ?? null)) continue;
    return `made for ${name}: ${marks[name] ?? "nothing"}`;
  }
  return undefined;
}

/** White space around commas means nothing; languages are a set, in any case. */
function sameValue(name: string, one: string | null, other: string | null): boolean {
  if (one === null || other === null) return one === other;
  const members = (value: string): string[] => value.split(",").map((member) => member.trim());
  if (name !== "accept-language") return members(one).join() === members(other).join();
  const set = (value: string): string =>
    members(value.toLowerCase())
      .map((member) => member.replace(/\s/g, ""))
      .sort()
      .join();
  return set(one) === set(other);
}

function directivesOf({ cacheControl, cdnCacheControl }: OriginExchange["manner"]): [name: string, value: string][] {
  return (cdnCacheControl === "" ? cacheControl : cdnCacheControl)
    .split(",")
    .map((part) => part.trim().split("="))
    .filter(([name]) => name !== "")
    .map(([name = "", value = ""]) => [name.toLowerCase(), value]);
}
