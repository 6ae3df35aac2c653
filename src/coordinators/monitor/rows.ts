/**
 * What is stored of recordings, as JSON and back. A row that cannot be read is told so (undefined), never guessed at.
 * Bounds: MOST_ROUTES and MOST_TENANTS of one row, ROW_CHARACTERS of it; what is beyond is under `other`.
 */
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import type { Demand } from "../../policy/recording/demand.ts";
import type { Reading } from "../../policy/recording/reading.ts";
import type { Spread } from "../../policy/recording/spread.ts";
import { addRoute, bounded, newTally, type Tally } from "../../policy/recording/tally.ts";

export const MOST_ROUTES = 1_000;
export const MOST_TENANTS = 100;
/** SQLite's rows end at 2 MB; a character has up to three bytes. */
const ROW_CHARACTERS = 600_000;

export function tallyText(tally: Tally): string {
  for (let most = MOST_ROUTES; ; most >>= 1) {
    const { routes, tenants } = bounded(tally, most, MOST_TENANTS);
    const text = JSON.stringify({
      routes: [...routes.values()].map(({ route, origin, counts }) => [route, origin, trimmed(counts)]),
      tenants: [...tenants],
    });
    if (text.length <= ROW_CHARACTERS || most <= 1) return text;
  }
}

export function readTally(text: unknown): Tally | undefined {
  const body = parseJson(text);
  if (!isRecord(body) || !Array.isArray(body["routes"]) || !Array.isArray(body["tenants"])) return undefined;
  const tally = newTally();
  for (const entry of listsOf(body["routes"])) {
    const [route, origin, counts] = entry;
    if (typeof route !== "string" || typeof origin !== "string" || !isCounts(counts)) return undefined;
    addRoute(tally, route, origin, counts);
  }
  for (const [id, counts] of listsOf(body["tenants"])) {
    if (typeof id !== "string" || !isCounts(counts)) return undefined;
    tally.tenants.set(id, counts);
  }
  return tally;
}

/** In parts that fit into a row each. */
export function readingTexts({ beganAtMs, everybody, routes, tenants }: Reading): readonly string[] {
  const parts: string[] = [];
  let part = JSON.stringify([
    ["began", [beganAtMs]],
    ["everybody", everybody],
  ]).slice(1, -1);
  const all = [
    ["route", routes],
    ["tenant", tenants],
  ] as const;
  for (const [kind, lists] of all) {
    for (const [key, counts] of lists) {
      if (part.length >= ROW_CHARACTERS) {
        parts.push(`[${part}]`);
        part = "";
      }
      part += `${part === "" ? "" : ","}${JSON.stringify([kind, trimmed(counts), key])}`;
    }
  }
  return [...parts, `[${part}]`];
}

export function readReading(texts: readonly unknown[]): Reading | undefined {
  let beganAtMs: number | undefined;
  let everybody: readonly number[] = [];
  const routes = new Map<string, readonly number[]>();
  const tenants = new Map<string, readonly number[]>();
  for (const text of texts) {
    const part = parseJson(text);
    if (!Array.isArray(part)) return undefined;
    for (const [kind, counts, key] of listsOf(part)) {
      if (!isCounts(counts)) return undefined;
      if (kind === "began") beganAtMs = counts[0];
      else if (kind === "everybody") everybody = counts;
      else if (typeof key !== "string") return undefined;
      else if (kind === "route") routes.set(key, counts);
      else if (kind === "tenant") tenants.set(key, counts);
    }
  }
  return beganAtMs === undefined ? undefined : { beganAtMs, everybody, routes, tenants };
}

export function demandText({ tenants, origins }: Demand): string {
  return JSON.stringify({
    tenants: [...tenants].map(([id, { rates, peakTokens, admitted, throttled, durationSecondsSum }]) => [
      id,
      [peakTokens, admitted, throttled, durationSecondsSum],
      [...rates].flat(),
    ]),
    origins: [...origins].map(([id, { rates, atOnce, requests, durationSecondsSum }]) => [
      id,
      [requests, durationSecondsSum],
      [...rates].flat(),
      [...atOnce].flat(),
    ]),
  });
}

export function readDemand(text: unknown): Demand | undefined {
  const body = parseJson(text);
  if (!isRecord(body) || !Array.isArray(body["tenants"]) || !Array.isArray(body["origins"])) return undefined;
  const demand: Demand = { tenants: new Map(), origins: new Map() };
  for (const [id, sums, rates] of listsOf(body["tenants"])) {
    if (typeof id !== "string" || !isCounts(sums) || !isCounts(rates)) return undefined;
    const [peakTokens = 0, admitted = 0, throttled = 0, durationSecondsSum = 0] = sums;
    demand.tenants.set(id, { rates: spreadOf(rates), peakTokens, admitted, throttled, durationSecondsSum });
  }
  for (const [id, sums, rates, atOnce] of listsOf(body["origins"])) {
    if (typeof id !== "string" || !isCounts(sums) || !isCounts(rates) || !isCounts(atOnce)) return undefined;
    const [requests = 0, durationSecondsSum = 0] = sums;
    demand.origins.set(id, { rates: spreadOf(rates), atOnce: spreadOf(atOnce), requests, durationSecondsSum });
  }
  return demand;
}

function spreadOf(flat: readonly number[]): Spread {
  const spread: Spread = new Map();
  for (let index = 0; index + 1 < flat.length; index += 2) spread.set(flat[index] ?? 0, flat[index + 1] ?? 0);
  return spread;
}

/** Without the zeros at its end. */
function trimmed(counts: readonly number[]): readonly number[] {
  let length = counts.length;
  while (length > 0 && counts[length - 1] === 0) length--;
  return counts.slice(0, length);
}

function* listsOf(all: readonly unknown[]): Generator<readonly unknown[]> {
  for (const one of all) yield Array.isArray(one) ? one : [];
}

function isCounts(value: unknown): value is number[] {
  return (
    Array.isArray(value) && value.every((count) => typeof count === "number" && Number.isFinite(count) && count >= 0)
  );
}
