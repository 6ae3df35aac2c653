/**
 * The Origin object's tables (docs/STORAGE.md): the breaker without its scores, which are rebuilt from reports within
 * seconds. Rows are checked when they come back; what cannot be read starts closed, with the settings of the next report.
 */
import {
  type Breaker,
  type BreakerState,
  type Forced,
  MAX_HISTORY,
  newBreaker,
  type Transition,
} from "../../policy/breaker/state-machine.ts";
import { BREAKER_DEFAULTS, type BreakerSettings } from "../../policy/breaker/types.ts";
import type { AdaptiveBounds } from "../../policy/forwarding/adaptive-limit.ts";
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import { type ConfigInForce, parseInForce } from "../../policy/rollout/rollout.ts";
import type { OriginSettings } from "../../protocol/origin.ts";

const SCHEMA_VERSION = 1;

export class OriginStorage {
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS transition (epoch INTEGER PRIMARY KEY, body TEXT NOT NULL);
    `);
    this.#sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('schema', ?)", String(SCHEMA_VERSION));
  }

  load(nowMs: number): { readonly breaker: Breaker; readonly settings: OriginSettings } | undefined {
    const settings = parseSettings(this.#read("settings"));
    if (settings === undefined) return undefined;
    const breaker = newBreaker(settings.breaker, nowMs);
    const stored = this.#read("breaker");
    if (isRecord(stored)) {
      breaker.state = parseState(stored["state"]) ?? breaker.state;
      breaker.forced = parseForced(stored["forced"]);
      breaker.epoch = amount(stored["epoch"]) ?? breaker.epoch;
      breaker.flaps = amount(stored["flaps"]) ?? 0;
      breaker.closedAtMs = amount(stored["closedAtMs"]) ?? breaker.closedAtMs;
      const { probes } = stored;
      for (const [leaseId, expiresAtMs] of isRecord(probes) ? Object.entries(probes) : []) {
        breaker.probes.set(leaseId, amount(expiresAtMs) ?? 0);
      }
    }
    for (const row of this.#sql.exec("SELECT body FROM transition ORDER BY epoch")) {
      const transition = parseTransition(parseJson(row["body"]));
      if (transition !== undefined) breaker.history.push(transition);
    }
    return { breaker, settings };
  }

  configInForce(): ConfigInForce | undefined {
    return parseInForce(this.#read("config-in-force"));
  }

  saveConfigInForce(inForce: ConfigInForce): void {
    this.#write("config-in-force", inForce);
  }

  /** As if the origin had never been reported. */
  forgetBreaker(): void {
    this.#sql.exec("DELETE FROM meta WHERE name IN ('settings', 'breaker')");
    this.#sql.exec("DELETE FROM transition");
  }

  saveSettings(settings: OriginSettings): void {
    this.#write("settings", settings);
  }

  /** Transitions after `storedEpoch` are added; the oldest beyond MAX_HISTORY go. */
  saveBreaker(breaker: Breaker, storedEpoch: number): void {
    const { state, forced, epoch, flaps, closedAtMs, probes, history } = breaker;
    this.#write("breaker", {
      state,
      forced,
      epoch,
      flaps,
      closedAtMs: Math.max(0, closedAtMs),
      probes: Object.fromEntries(probes),
    });
    for (const transition of history) {
      if (transition.epoch <= storedEpoch) continue;
      const body = JSON.stringify(transition);
      this.#sql.exec("INSERT OR REPLACE INTO transition (epoch, body) VALUES (?, ?)", transition.epoch, body);
    }
    this.#sql.exec("DELETE FROM transition WHERE epoch <= ?", epoch - MAX_HISTORY);
  }

  #read(name: string): unknown {
    const row = this.#sql.exec("SELECT value FROM meta WHERE name = ?", name).toArray()[0];
    return row === undefined ? undefined : parseJson(row["value"]);
  }

  #write(name: string, value: unknown): void {
    this.#sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, JSON.stringify(value));
  }
}

function amount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function parseState(value: unknown): BreakerState | undefined {
  if (!isRecord(value)) return undefined;
  const backoffMs = amount(value["backoffMs"]);
  const nextProbeAtMs = amount(value["nextProbeAtMs"]);
  switch (value["kind"]) {
    case "closed":
      return { kind: "closed" };
    case "open":
      return backoffMs === undefined || nextProbeAtMs === undefined
        ? undefined
        : { kind: "open", backoffMs, nextProbeAtMs };
    case "half-open":
      return backoffMs === undefined || nextProbeAtMs === undefined
        ? undefined
        : { kind: "half-open", backoffMs, nextProbeAtMs, successes: amount(value["successes"]) ?? 0 };
    case "ramp": {
      const startedAtMs = amount(value["startedAtMs"]);
      return startedAtMs === undefined ? undefined : { kind: "ramp", startedAtMs };
    }
    default:
      return undefined;
  }
}

function parseForced(value: unknown): Forced | undefined {
  if (!isRecord(value)) return undefined;
  const { state, reason, by } = value;
  const untilMs = amount(value["untilMs"]);
  if ((state !== "open" && state !== "closed") || untilMs === undefined) return undefined;
  return { state, reason: String(reason), by: String(by), untilMs };
}

export function parseTransition(value: unknown): Transition | undefined {
  if (!isRecord(value)) return undefined;
  const { from, to, reason, pops } = value;
  const atMs = amount(value["atMs"]);
  const epoch = amount(value["epoch"]);
  if (atMs === undefined || epoch === undefined) return undefined;
  return {
    atMs,
    epoch,
    from: String(from),
    to: String(to),
    reason: String(reason),
    score: amount(value["score"]) ?? 0,
    pops: Array.isArray(pops) ? pops.map(String) : [],
    ...(typeof value["by"] === "string" ? { by: value["by"] } : {}),
    ...(typeof value["sinceMs"] === "number" ? { sinceMs: value["sinceMs"] } : {}),
  };
}

function parseSettings(value: unknown): OriginSettings | undefined {
  if (!isRecord(value)) return undefined;
  const { probeUrl, originId } = value;
  const configVersion = amount(value["configVersion"]);
  const probeTimeoutMs = amount(value["probeTimeoutMs"]);
  const breaker = parseBreakerSettings(value["breaker"]);
  if (configVersion === undefined || probeTimeoutMs === undefined || breaker === undefined) return undefined;
  if (typeof probeUrl !== "string") return undefined;
  const adaptive = parseBounds(value["adaptive"]);
  return {
    configVersion,
    probeUrl,
    probeTimeoutMs,
    breaker,
    ...(typeof originId === "string" ? { originId } : {}),
    ...(value["onTrial"] === true ? { onTrial: true as const } : {}),
    ...(adaptive === undefined ? {} : { adaptive }),
  };
}

function parseBounds(value: unknown): AdaptiveBounds | undefined {
  if (!isRecord(value)) return undefined;
  const [min, max] = [amount(value["min"]), amount(value["max"])];
  return min === undefined || max === undefined ? undefined : { min, max };
}

function parseBreakerSettings(value: unknown): BreakerSettings | undefined {
  if (!isRecord(value)) return undefined;
  // What an older version did not store has its default until the next report.
  const stored = (name: keyof BreakerSettings): number => amount(value[name]) ?? BREAKER_DEFAULTS[name];
  return {
    earlyAgeMs: stored("earlyAgeMs"),
    slowCallMs: stored("slowCallMs"),
    tripScore: stored("tripScore"),
    popTripScore: stored("popTripScore"),
    brownOutRatio: stored("brownOutRatio"),
    outageRatio: stored("outageRatio"),
    quorumPops: stored("quorumPops"),
    backoffMs: stored("backoffMs"),
    maxBackoffMs: stored("maxBackoffMs"),
    flapWindowMs: stored("flapWindowMs"),
    flapMaxBackoffMs: stored("flapMaxBackoffMs"),
    probes: stored("probes"),
    closeAfter: stored("closeAfter"),
    rampMs: stored("rampMs"),
  };
}
