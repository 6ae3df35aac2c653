/** Objectives and alerts: what depends on more than one place of the file. */
import { RESERVED_SECRETS } from "../policy/alerting/secrets.ts";
import type { Found } from "./checks.ts";
import type { ConfigFile } from "./schema.ts";
import { BOUNDS } from "./schema-parts.ts";
import type { ReceiverFile } from "./schema-watching.ts";
import { suggest } from "./suggest.ts";
import { durationMs } from "./units.ts";
import { checkReceiverUrl } from "./url-check.ts";

const LEAST_INTERVAL_MS = 10_000;

export function checkWatching(file: ConfigFile, found: Found): void {
  const { objectives = {}, alerts = {} } = file;
  checkCount(["objectives"], Object.keys(objectives).length, BOUNDS.objectives, found);
  for (const [id, { origin, route, kind, within }] of Object.entries(objectives)) {
    const path = ["objectives", id];
    if ((origin === undefined) === (route === undefined)) found(path, 'must have "origin" or "route", not both');
    const routes = file.routes.map((candidate) => candidate.id);
    if (route !== undefined && !routes.includes(route)) {
      found([...path, "route"], `unknown route "${route}"${suggest(route, routes)}`);
    }
    const origins = Object.keys(file.origins);
    if (origin !== undefined && !origins.includes(origin)) {
      found([...path, "origin"], `unknown origin "${origin}"${suggest(origin, origins)}`);
    }
    if (kind === "latency" && within === undefined) found(path, 'kind "latency" needs "within"');
    if (kind !== "latency" && within !== undefined) found([...path, "within"], 'is for kind "latency" only');
  }
  const { receivers = {}, repeat, groupWait, watchdog } = alerts;
  checkCount(["alerts", "receivers"], Object.keys(receivers).length, BOUNDS.receivers, found);
  for (const [id, receiver] of Object.entries(receivers)) {
    const [key, secret] = secretOf(receiver);
    if (RESERVED_SECRETS.has(secret)) {
      found(["alerts", "receivers", id, key], "is a secret of Weir's own, and goes to no receiver");
    }
    if (receiver.type !== "slack" && receiver.url !== undefined) {
      checkReceiverUrl(["alerts", "receivers", id, "url"], receiver.url, found);
    }
  }
  if (groupWait !== undefined && durationMs(groupWait) > BOUNDS.groupWaitMs) {
    found(["alerts", "groupWait"], "must be 5m at most");
  }
  for (const [key, value] of Object.entries({ repeat, watchdog })) {
    if (value !== undefined && durationMs(value) < LEAST_INTERVAL_MS) found(["alerts", key], "must be 10s at least");
  }
}

function secretOf(receiver: ReceiverFile): readonly [key: string, name: string] {
  switch (receiver.type) {
    case "webhook":
      return ["signingSecret", receiver.signingSecret];
    case "slack":
      return ["urlSecret", receiver.urlSecret];
    case "pagerduty":
      return ["routingKeySecret", receiver.routingKeySecret];
  }
}

function checkCount(path: readonly string[], count: number, max: number, found: Found): void {
  if (count > max) found(path, `has ${count} entries; at most ${max} are allowed`);
}
