/**
 * State of origin × state of cache → what is served. The one place where it is written down:
 * `test/scenarios/outage-table.test.ts` tries every cell, and the tables in `docs/outages.md` are made of it.
 */
import type { Rung } from "../../src/policy/degradation/ladder.ts";
import { heading, row } from "./markdown.ts";

/** A way to be answered, by what stands in the cell. */
export type Answer =
  | "cache"
  | "revalidating"
  | "stale"
  | "snapshot"
  | "failover"
  | "page"
  | "plain"
  | "origin"
  | "its own error";

export interface Cell {
  readonly answer: Answer;
  /** Of the request to the first origin, retries not counted. `behind`: nobody waits for it. */
  readonly calls: 0 | 1 | "behind";
}

export const COLUMNS = [
  { id: "fresh", title: "fresh here" },
  { id: "revalidating", title: "stale, within `stale-while-revalidate`" },
  { id: "stale", title: "stale, within `stale-if-error`" },
  { id: "strict", title: "stale, but `must-revalidate` or `s-maxage`" },
  { id: "snapshot", title: "nothing here, but a snapshot" },
  { id: "failover", title: "nothing, but a second origin" },
  { id: "page", title: "nothing, but a page" },
  { id: "nothing", title: "nothing at all" },
] as const;
export type ColumnId = (typeof COLUMNS)[number]["id"];

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly cells: Readonly<Record<ColumnId, Cell>>;
  /** Of `Proxy-Status`; undefined: there is none. */
  readonly error: string | undefined;
  /** What the page and the plain refusal say when to come again, beside their own least. */
  readonly retry: string;
}

const cell = (answer: Answer, calls: Cell["calls"]): Cell => ({ answer, calls });
const FRESH = cell("cache", 0);

/** The origin answers, as it likes. */
const ANSWERS: Row["cells"] = {
  fresh: FRESH,
  revalidating: cell("revalidating", "behind"),
  stale: cell("origin", 1),
  strict: cell("origin", 1),
  snapshot: cell("origin", 1),
  failover: cell("origin", 1),
  page: cell("origin", 1),
  nothing: cell("origin", 1),
};
/** It is asked, and does not answer. */
const FAILS: Row["cells"] = {
  fresh: FRESH,
  revalidating: cell("revalidating", "behind"),
  stale: cell("stale", 1),
  strict: cell("plain", 1),
  snapshot: cell("snapshot", 1),
  failover: cell("failover", 1),
  page: cell("page", 1),
  nothing: cell("plain", 1),
};
/** It answers that it cannot. */
const FAILS_ALOUD: Row["cells"] = { ...FAILS, strict: cell("its own error", 1), nothing: cell("its own error", 1) };
/** It is not asked. */
const SPARED: Row["cells"] = {
  fresh: FRESH,
  revalidating: cell("revalidating", 0),
  stale: cell("stale", 0),
  strict: cell("plain", 0),
  snapshot: cell("snapshot", 0),
  failover: cell("failover", 0),
  page: cell("page", 0),
  nothing: cell("plain", 0),
};

export const ROWS: readonly Row[] = [
  { id: "healthy", title: "healthy", cells: ANSWERS, error: undefined, retry: "" },
  { id: "slow", title: "slow, within its deadline", cells: ANSWERS, error: undefined, retry: "" },
  {
    id: "hangs",
    title: "hanging past its deadline",
    cells: FAILS,
    error: "http_response_timeout",
    retry: "",
  },
  {
    id: "refuses",
    title: "refuses or resets connections",
    cells: FAILS,
    error: "connection_terminated",
    retry: "",
  },
  { id: "5xx", title: "5xx", cells: FAILS_ALOUD, error: "destination_unavailable", retry: "" },
  {
    id: "cut",
    title: "breaks off within the body",
    cells: FAILS,
    error: "http_response_incomplete",
    retry: "",
  },
  {
    id: "open",
    title: "breaker open",
    cells: SPARED,
    error: "destination_unavailable",
    retry: "the next probe",
  },
  {
    id: "half-open",
    title: "breaker half-open or in its ramp, and this request is not let through",
    cells: SPARED,
    error: "destination_unavailable",
    retry: "1 s, or its turn in the ramp",
  },
  {
    id: "forced",
    title: "breaker forced open by hand",
    cells: SPARED,
    error: "destination_unavailable",
    retry: "the end of it",
  },
  {
    id: "maintenance",
    title: "in maintenance by hand",
    cells: { ...SPARED, failover: cell("plain", 0) },
    error: "destination_unavailable",
    retry: "the end of it, and nothing else",
  },
  {
    id: "bulkhead",
    title: "bulkhead full",
    cells: SPARED,
    error: "connection_limit_reached",
    retry: "1 s",
  },
  {
    id: "denies",
    title: "answers 401, 403, 404 or 410",
    cells: ANSWERS,
    error: undefined,
    retry: "",
  },
  {
    id: "away",
    title: "healthy, its coordinator out of reach",
    cells: ANSWERS,
    error: undefined,
    retry: "",
  },
  {
    id: "away-5xx",
    title: "5xx, and its coordinator out of reach",
    cells: FAILS_ALOUD,
    error: "destination_unavailable",
    retry: "",
  },
];

/** The headers of an answer. In texts `N` stands for a number, `MISS` for why the cache could not answer, `[]` for what may be. */
export interface AnswerHeaders {
  readonly title: string;
  readonly status: string;
  readonly served: string;
  /** The origin was asked, and was not. */
  readonly cacheStatus: { readonly called: string; readonly spared: string };
  readonly age: "its age" | "none" | "as the origin says";
  /** The rung it names; undefined: there is none. */
  readonly proxyStatus: Rung | undefined;
  readonly retryAfter: string;
}

const NEVER = "";
export const HEADERS: Readonly<Record<Answer, AnswerHeaders>> = {
  cache: {
    title: "cache",
    status: "200",
    served: "cache",
    cacheStatus: { called: NEVER, spared: "weir; hit; ttl=N" },
    age: "its age",
    proxyStatus: undefined,
    retryAfter: "none",
  },
  revalidating: {
    title: "stale",
    status: "200",
    served: "stale",
    cacheStatus: { called: NEVER, spared: "weir; hit; ttl=-N" },
    age: "its age",
    proxyStatus: undefined,
    retryAfter: "none",
  },
  stale: {
    title: "stale on error",
    status: "200",
    served: "stale",
    cacheStatus: {
      called: "weir; fwd=stale[; fwd-status=N]; ttl=-N; detail=stale",
      spared: "weir; hit; ttl=-N; detail=stale",
    },
    age: "its age",
    proxyStatus: "stale",
    retryAfter: "none",
  },
  snapshot: {
    title: "snapshot",
    status: "200",
    served: "snapshot",
    cacheStatus: {
      called: "weir; fwd=uri-miss[; fwd-status=N]; ttl=-N; detail=snapshot",
      spared: "weir; hit; ttl=-N; detail=snapshot",
    },
    age: "its age",
    proxyStatus: "snapshot",
    retryAfter: "none",
  },
  failover: {
    title: "second origin",
    status: "200",
    served: "failover",
    cacheStatus: { called: "weir; fwd=uri-miss; detail=failover", spared: "weir; fwd=uri-miss; detail=failover" },
    age: "as the origin says",
    proxyStatus: "failover",
    retryAfter: "none",
  },
  page: {
    title: "page",
    status: "503",
    served: "fallback",
    cacheStatus: { called: "weir; fwd=uri-miss; detail=page", spared: "weir; detail=page" },
    age: "none",
    proxyStatus: "page",
    retryAfter: "the route's `retryAfter` (30 s), or later",
  },
  plain: {
    title: "plain",
    status: "503",
    served: "fallback",
    cacheStatus: { called: "weir; fwd=MISS; detail=plain", spared: "weir; detail=plain" },
    age: "none",
    proxyStatus: "plain",
    retryAfter: "5 s, or later",
  },
  origin: {
    title: "origin",
    status: "its own",
    served: "origin",
    cacheStatus: { called: "weir; fwd=MISS; fwd-status=N[; stored]", spared: NEVER },
    age: "as the origin says",
    proxyStatus: undefined,
    retryAfter: "as the origin says",
  },
  "its own error": {
    title: "origin's error",
    status: "its own",
    served: "origin",
    cacheStatus: { called: "weir; fwd=MISS; detail=origin-answer", spared: NEVER },
    age: "as the origin says",
    proxyStatus: "origin-answer",
    retryAfter: "as the origin says",
  },
};

const code = (text: string): string => (text === "" ? "" : `\`${text}\``);

function cellText({ answer, calls }: Cell): string {
  const { title, status } = HEADERS[answer];
  const told = status === "its own" ? title : `${status} ${title}`;
  if (calls === 0) return told;
  return calls === "behind" ? `${told} ⇠` : `${told} ←`;
}

function cacheStatusText({ called, spared }: AnswerHeaders["cacheStatus"]): string {
  const texts = called === spared ? [called] : [called, spared].filter((text) => text !== NEVER);
  return texts.map((text) => code(text.replace("MISS", "…"))).join("; not asked: ");
}

/** The text between the marks in `docs/outages.md`. */
export function outageTables(): string {
  return [
    ...heading(["origin", ...COLUMNS.map(({ title }) => title)]),
    ...ROWS.map(({ title, cells }) => row([title, ...COLUMNS.map(({ id }) => cellText(cells[id]))])),
    "",
    "`←`: the origin was asked first. `⇠`: it is asked behind the answer. Otherwise it is not asked.",
    "",
    ...heading(["answer", "status", "`Weir-Served`", "`Cache-Status`", "`Age`", "`Proxy-Status`", "`Retry-After`"]),
    ...Object.values(HEADERS).map(({ title, status, served, cacheStatus, age, proxyStatus, retryAfter }) =>
      row([
        title,
        status,
        code(served),
        cacheStatusText(cacheStatus),
        age,
        proxyStatus === undefined ? "none" : code(`…: ${proxyStatus}`),
        retryAfter,
      ]),
    ),
    "",
    ...heading(["origin", "`Proxy-Status` error", "later `Retry-After`"]),
    ...ROWS.filter(({ error }) => error !== undefined).map(({ title, error = "", retry }) =>
      row([title, code(error), retry === "" ? "none" : retry]),
    ),
  ].join("\n");
}
