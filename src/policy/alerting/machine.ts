/**
 * The life of alerts: pending → firing → resolved, and who is told what of it, once.
 *
 * `decideAlerts` takes what is true now and gives what to store and what to tell. Each firing is told to each receiver that
 * wants it `groupWaitMs` after it fired, together with its group; again every `repeatMs` while it fires; and its end is
 * told wherever the firing was, also when it is quiet by then. What is quiet (`quiet.ts`) is told later if it still fires
 * then. Nothing is lost for want of room: what does not go into `room` goes with a later turn. Nothing is told twice: what
 * was told is part of the state, and a notification's id follows from its alerts, their firing and the number of the
 * repeat, so a turn that is decided again makes the same ids.
 * Flapping: a condition that returns before its end was told goes on as the same firing; see also `keepMs`.
 * Bounds: MAX_ALERTS (beyond, the least severe new conditions are counted and passed over), MAX_NOTIFICATIONS a turn,
 * MAX_TOLD_AT_ONCE alerts in a notification. Cost: O(alerts × receivers). Nothing is changed in place.
 */
import { quietOf } from "./quiet.ts";
import { tellAlerts } from "./telling.ts";
import {
  type Alert,
  type AlertLife,
  type AlertSettings,
  type Condition,
  type Notification,
  SEVERITIES,
  type Silence,
} from "./types.ts";

export const MAX_ALERTS = 1_000;
/** What is over is shown for so long. */
const RESOLVED_KEPT_MS = 86_400_000;
const WATCHDOG: Condition = {
  fingerprint: "watchdog",
  kind: "watchdog",
  severity: "info",
  labels: {},
  summary: "This alert always fires. When it stops coming, the others would not come either.",
  forMs: 0,
};

type Alerts = ReadonlyMap<string, Alert>;

export interface AlertsDecided {
  /** By fingerprint, after this turn. */
  readonly alerts: Alerts;
  /** To be stored, and to be removed, together with the notifications. */
  readonly changed: readonly Alert[];
  readonly removed: readonly string[];
  readonly notifications: readonly Notification[];
  /** Conditions that found no place. */
  readonly passedOver: number;
  /** When time alone changes something. */
  readonly nextAtMs: number;
}

/** `room`: for so many notifications. The watchdog comes by itself. */
export function decideAlerts(
  before: Alerts,
  conditions: readonly Condition[],
  silences: readonly Silence[],
  settings: AlertSettings,
  nowMs: number,
  room: number,
): AlertsDecided {
  const alerts = new Map(before);
  const passedOver = takeConditions(alerts, [WATCHDOG, ...conditions], nowMs);
  hush(alerts, silences, nowMs);
  const { notifications, nextAtMs } = tellAlerts(alerts, settings, nowMs, room);
  for (const [fingerprint, { life, told }] of alerts) {
    if (life.kind !== "resolved" || nowMs - life.resolvedAtMs < RESOLVED_KEPT_MS) continue;
    // A receiver that the config no longer has will not hear of it.
    if (told.every(({ over, receiverId }) => over || !settings.receivers.some(({ id }) => id === receiverId))) {
      alerts.delete(fingerprint);
    }
  }
  return {
    alerts,
    changed: [...alerts].flatMap(([fingerprint, alert]) => (differs(alert, before.get(fingerprint)) ? [alert] : [])),
    removed: [...before.keys()].filter((fingerprint) => !alerts.has(fingerprint)),
    notifications,
    passedOver,
    nextAtMs: Math.min(nextAtMs, nextChangeAtMs(alerts, silences, nowMs)),
  };
}

/** A summary that only brings its figures up to date is stored with the next change. */
const differs = (alert: Alert, before: Alert | undefined): boolean =>
  alert.life !== before?.life ||
  alert.told !== before.told ||
  alert.quiet !== before.quiet ||
  alert.condition.severity !== before.condition.severity;

function takeConditions(alerts: Map<string, Alert>, conditions: readonly Condition[], nowMs: number): number {
  let passedOver = 0;
  const said = new Set<string>();
  const gravestFirst = conditions.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  for (const condition of gravestFirst) {
    const { fingerprint } = condition;
    if (said.has(fingerprint)) continue;
    const before = alerts.get(fingerprint);
    if (before === undefined && alerts.size >= MAX_ALERTS && !makePlace(alerts)) {
      passedOver++;
      continue;
    }
    said.add(fingerprint);
    alerts.set(fingerprint, whenTrue(before, condition, nowMs));
  }
  for (const [fingerprint, alert] of alerts) {
    if (said.has(fingerprint)) continue;
    const life = lifeWhenGone(alert, nowMs);
    if (life === undefined) alerts.delete(fingerprint);
    else if (life !== alert.life) alerts.set(fingerprint, { ...alert, life });
  }
  return passedOver;
}

/** What is over, and owes nobody its end, makes place for what is true. */
function makePlace(alerts: Map<string, Alert>): boolean {
  for (const [fingerprint, { life, told }] of alerts) {
    if (life.kind === "resolved" && told.every(({ over }) => over)) return alerts.delete(fingerprint);
  }
  return false;
}

function whenTrue(before: Alert | undefined, condition: Condition, nowMs: number): Alert {
  if (before === undefined) {
    return { condition, life: begin(condition, nowMs, nowMs), sinceMs: nowMs, told: [], quiet: undefined };
  }
  const { life, told, sinceMs } = before;
  switch (life.kind) {
    case "pending":
      return { ...before, condition, life: nowMs < life.firesAtMs ? life : begin(condition, sinceMs, nowMs) };
    case "firing": {
      const { firedAtMs } = life;
      return { ...before, condition, life: life.absentSinceMs === undefined ? life : { kind: "firing", firedAtMs } };
    }
    case "resolved": {
      const owed = told.filter(({ over }) => !over).length;
      // Back before anybody heard of its end: there was none. Where some have heard of it, they are told of a new firing.
      if (owed > 0) {
        const firedAtMs = owed === told.length ? life.firedAtMs : Math.max(nowMs, life.firedAtMs + 1);
        return { ...before, condition, life: { kind: "firing", firedAtMs } };
      }
      return {
        ...before,
        condition,
        life: begin(condition, nowMs, Math.max(nowMs, life.firedAtMs + 1)),
        sinceMs: nowMs,
      };
    }
  }
}

const begin = ({ forMs }: Condition, sinceMs: number, nowMs: number): AlertLife =>
  nowMs - sinceMs >= forMs ? { kind: "firing", firedAtMs: nowMs } : { kind: "pending", firesAtMs: sinceMs + forMs };

/** Undefined: it never fired. */
function lifeWhenGone({ life, condition }: Alert, nowMs: number): AlertLife | undefined {
  if (life.kind === "pending") return undefined;
  if (life.kind === "resolved") return life;
  const { firedAtMs, absentSinceMs = nowMs } = life;
  if (nowMs - absentSinceMs >= (condition.keepMs ?? 0)) return { kind: "resolved", firedAtMs, resolvedAtMs: nowMs };
  return life.absentSinceMs === undefined ? { kind: "firing", firedAtMs, absentSinceMs } : life;
}

function hush(alerts: Map<string, Alert>, silences: readonly Silence[], nowMs: number): void {
  const firing = [...alerts.values()].filter(({ life }) => life.kind === "firing");
  for (const [fingerprint, alert] of alerts) {
    const quiet = alert.life.kind === "firing" ? quietOf(alert, firing, silences, nowMs) : undefined;
    if (quiet?.by !== alert.quiet?.by || quiet?.id !== alert.quiet?.id) alerts.set(fingerprint, { ...alert, quiet });
  }
}

function nextChangeAtMs(alerts: Alerts, silences: readonly Silence[], nowMs: number): number {
  let atMs = Number.POSITIVE_INFINITY;
  for (const { life, condition } of alerts.values()) {
    if (life.kind === "pending") atMs = Math.min(atMs, life.firesAtMs);
    else if (life.kind === "firing" && life.absentSinceMs !== undefined) {
      atMs = Math.min(atMs, life.absentSinceMs + (condition.keepMs ?? 0));
    }
  }
  for (const { untilMs } of silences) if (untilMs > nowMs) atMs = Math.min(atMs, untilMs);
  return atMs;
}
