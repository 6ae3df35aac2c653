/** What `docs/caching.md` says of the public suite: figures of ours and of others, and what does not pass, with its reason. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import suites from "http-cache-tests/tests/index.mjs";
import { heading, row } from "../support/markdown.ts";
import { failing, NOT_PASSED } from "./not-passed.ts";

/** As the suite's own results call them. */
const OTHERS = [
  ["squid", "Squid"],
  ["apache", "Apache httpd"],
  ["trafficserver", "Apache Traffic Server"],
  ["varnish", "Varnish"],
  ["nuster", "nuster"],
  ["nginx", "nginx"],
  ["fastly", "Fastly"],
] as const;
/** Serving stale where the origin allows it, where nobody does, and where it is forbidden. */
const STALE_ALLOWED = ["stale-sie-close", "stale-sie-503"];
const STALE_UNASKED = ["stale-close", "stale-503"];

const require = createRequire(import.meta.url);
const cases = suites.flatMap(({ tests }) => tests).filter((test) => test.browser_only !== true);
const missed = failing("release");

function passes(of: string): (id: string) => boolean {
  const text = readFileSync(require.resolve(`http-cache-tests/results/${of}.json`), "utf8");
  const results = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return (id) => results[id] === true;
}

function figures(name: string, does: (id: string) => boolean): string {
  const count = (kind: string): string => {
    const ofKind = cases.filter((test) => (test.kind ?? "required") === kind);
    return `${ofKind.filter(({ id }) => does(id)).length} of ${ofKind.length}`;
  };
  const answer = (ids: readonly string[]): string => (ids.every(does) ? "yes" : "no");
  return row([name, count("required"), count("optimal"), answer(STALE_ALLOWED), answer(STALE_UNASKED)]);
}

export function suiteFigures(): string {
  return [
    ...heading(["", "required", "optimal", "stale on error where the origin allows it", "also where nobody does"]),
    figures("Weir", (id) => !missed.has(id)),
    ...OTHERS.map(([file, name]) => figures(name, passes(file))),
  ].join("\n");
}

export function casesNotPassed(): string {
  const kindOf = new Map(cases.map(({ id, kind = "required" }) => [id, kind]));
  const named = (ids: readonly string[], kind: string): string =>
    ids
      .filter((id) => kindOf.get(id) === kind)
      .map((id) => `\`${id}\``)
      .join(", ");
  return [
    ...heading(["required", "optimal", "why it does not pass"]),
    ...NOT_PASSED.filter(({ only }) => only !== "source").map(({ why, ids }) =>
      row([named(ids, "required"), named(ids, "optimal"), why]),
    ),
  ].join("\n");
}
