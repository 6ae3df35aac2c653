/** Who is told of which alerts now: the second half of `machine.ts`, whose docstring says what it guarantees. */
import { hash32 } from "../kernel/hash.ts";
import {
  type Alert,
  type AlertSettings,
  type Condition,
  type Notification,
  type Receiver,
  SEVERITIES,
  type ToldAlert,
} from "./types.ts";

export const MAX_NOTIFICATIONS = 100;
export const MAX_TOLD_AT_ONCE = 20;
/** After a turn that had no room for everything. */
const NO_ROOM_MS = 1_000;

/** One alert that one receiver is to be told of. */
interface Due {
  readonly alert: Alert;
  readonly dueAtMs: number;
  /** "end", or how often this receiver was told of the alert before. */
  readonly slot: "end" | number;
}

/** Notes in `alerts` who was told. `room`: most notifications. */
export function tellAlerts(
  alerts: Map<string, Alert>,
  settings: AlertSettings,
  nowMs: number,
  room: number,
): { readonly notifications: readonly Notification[]; readonly nextAtMs: number } {
  const notifications: Notification[] = [];
  const most = Math.min(room, MAX_NOTIFICATIONS);
  let nextAtMs = Number.POSITIVE_INFINITY;
  for (const receiver of settings.receivers) {
    // PagerDuty takes one alert at a time.
    const atOnce = receiver.kind === "pagerduty" ? 1 : MAX_TOLD_AT_ONCE;
    for (const [group, dues] of dueGroups(alerts, receiver, settings)) {
      const isDue = dues.some(({ dueAtMs }) => dueAtMs <= nowMs);
      // What has just come goes along; a repeat waits for its own time.
      const due = isDue ? dues.filter(({ dueAtMs, slot }) => dueAtMs <= nowMs || slot === "end" || slot === 0) : [];
      for (let from = 0; from < due.length && notifications.length < most; from += atOnce) {
        const part = due.slice(from, from + atOnce);
        notifications.push(notificationOf(receiver.id, group, part, nowMs));
        for (const { alert, slot } of part) noteTold(alerts, alert.condition.fingerprint, receiver.id, slot, nowMs);
      }
    }
    for (const alert of alerts.values()) {
      const atMs = dueOf(alert, receiver, settings)?.dueAtMs ?? Number.POSITIVE_INFINITY;
      nextAtMs = Math.min(nextAtMs, atMs <= nowMs ? nowMs + NO_ROOM_MS : atMs);
    }
  }
  return { notifications, nextAtMs };
}

function dueGroups(
  alerts: ReadonlyMap<string, Alert>,
  receiver: Receiver,
  settings: AlertSettings,
): ReadonlyMap<string, readonly Due[]> {
  const dues = [...alerts.values()].flatMap((alert) => dueOf(alert, receiver, settings) ?? []);
  return Map.groupBy(dues, ({ alert }) => groupOf(alert.condition, receiver));
}

/** Undefined: nothing, for all time. */
function dueOf(alert: Alert, receiver: Receiver, settings: AlertSettings): Due | undefined {
  const { condition, life, told, quiet } = alert;
  const before = told.find(({ receiverId }) => receiverId === receiver.id);
  const isTold = before !== undefined && !before.over;
  if (life.kind === "resolved") {
    return isTold ? { alert, slot: "end", dueAtMs: life.resolvedAtMs + settings.groupWaitMs } : undefined;
  }
  if (life.kind === "pending" || quiet !== undefined || !wants(receiver, condition)) return undefined;
  if (!isTold) return { alert, slot: 0, dueAtMs: life.firedAtMs + settings.groupWaitMs };
  const everyMs = condition.kind === "watchdog" ? settings.watchdogMs : settings.repeatMs;
  return { alert, slot: before.count, dueAtMs: before.atMs + everyMs };
}

/** The watchdog goes to those who name it. */
function wants({ kinds, severity }: Receiver, condition: Condition): boolean {
  if (kinds !== undefined && !kinds.includes(condition.kind)) return false;
  if (condition.kind === "watchdog") return kinds !== undefined;
  return SEVERITIES.indexOf(condition.severity) <= SEVERITIES.indexOf(severity);
}

/** By what the alert is about: one message says that many tenants are throttled. */
function groupOf({ fingerprint, kind, labels }: Condition, receiver: Receiver): string {
  if (receiver.kind === "pagerduty") return fingerprint;
  return `${kind}:${labels["objective"] ?? labels["origin"] ?? ""}`;
}

function noteTold(
  alerts: Map<string, Alert>,
  fingerprint: string,
  receiverId: string,
  slot: Due["slot"],
  nowMs: number,
): void {
  const alert = alerts.get(fingerprint);
  if (alert === undefined) return;
  const others = alert.told.filter((one) => one.receiverId !== receiverId);
  const before = alert.told.find((one) => one.receiverId === receiverId);
  const over = slot === "end";
  const count = over ? (before?.count ?? 0) : slot + 1;
  alerts.set(fingerprint, { ...alert, told: [...others, { receiverId, count, atMs: nowMs, over }] });
}

function notificationOf(receiverId: string, group: string, part: readonly Due[], nowMs: number): Notification {
  const name = part.map(({ alert, slot }) => `${alert.condition.fingerprint}@${firedAt(alert)}#${slot}`).join("\n");
  const told = part.map(({ alert }) => toldAlert(alert));
  return { id: idOf(receiverId, name), receiverId, group, createdAtMs: nowMs, alerts: told };
}

/** 96 bits of a hash that is not for secrets: nobody gains by making two the same. */
function idOf(receiverId: string, text: string): string {
  const parts = ["a", "b", "c"].map((salt) => hash32(`${salt}\n${receiverId}\n${text}`).toString(16).padStart(8, "0"));
  return `weir_${parts.join("")}`;
}

const firedAt = ({ life }: Alert): number => (life.kind === "pending" ? 0 : life.firedAtMs);

function toldAlert(alert: Alert): ToldAlert {
  const { fingerprint, kind, severity, labels, summary } = alert.condition;
  const { life } = alert;
  return {
    fingerprint,
    status: life.kind === "resolved" ? "resolved" : "firing",
    kind,
    severity,
    labels,
    summary,
    firedAtMs: firedAt(alert),
    ...(life.kind === "resolved" ? { resolvedAtMs: life.resolvedAtMs } : {}),
  };
}
