/** Alerts and notifications as they come back from storage: checked, so that what cannot be read is known to be so. */
import { isRecord } from "../kernel/json.ts";
import {
  type Alert,
  ALERT_KINDS,
  type AlertKind,
  type AlertLife,
  type Condition,
  type Notification,
  SEVERITIES,
  type Severity,
  type Silence,
  type Told,
  type ToldAlert,
} from "./types.ts";

/** Undefined: it is none; its condition begins it anew. */
export function parseAlert(value: unknown): Alert | undefined {
  if (!isRecord(value)) return undefined;
  const { sinceMs, told, quiet } = value;
  const condition = parseCondition(value["condition"]);
  const life = parseLife(value["life"]);
  if (condition === undefined || life === undefined || typeof sinceMs !== "number" || !Array.isArray(told)) {
    return undefined;
  }
  const quietId = isRecord(quiet) ? quiet["id"] : undefined;
  return {
    condition,
    life,
    sinceMs,
    told: told.flatMap((one) => parseTold(one) ?? []),
    quiet:
      isRecord(quiet) && typeof quietId === "string"
        ? { by: quiet["by"] === "silence" ? "silence" : "inhibition", id: quietId }
        : undefined,
  };
}

export function parseSilence(value: unknown): Silence | undefined {
  if (!isRecord(value)) return undefined;
  const { id, untilMs, reason, by } = value;
  const match = parseLabels(value["match"]);
  if (typeof id !== "string" || typeof untilMs !== "number" || match === undefined) return undefined;
  return { id, untilMs, match, reason: String(reason), by: String(by) };
}

export function parseNotification(value: unknown): Notification | undefined {
  if (!isRecord(value)) return undefined;
  const { id, receiverId, group, createdAtMs, alerts } = value;
  if (typeof id !== "string" || typeof receiverId !== "string" || typeof group !== "string") return undefined;
  if (typeof createdAtMs !== "number" || !Array.isArray(alerts)) return undefined;
  return { id, receiverId, group, createdAtMs, alerts: alerts.flatMap((one) => parseToldAlert(one) ?? []) };
}

function parseCondition(value: unknown): Condition | undefined {
  const said = parseSaid(value);
  if (said === undefined || !isRecord(value)) return undefined;
  const { forMs, keepMs } = value;
  return { ...said, forMs: Number(forMs), ...(typeof keepMs === "number" ? { keepMs } : {}) };
}

function parseToldAlert(value: unknown): ToldAlert | undefined {
  const said = parseSaid(value);
  if (said === undefined || !isRecord(value)) return undefined;
  const { status, firedAtMs, resolvedAtMs } = value;
  return {
    ...said,
    status: status === "resolved" ? "resolved" : "firing",
    firedAtMs: Number(firedAtMs),
    ...(typeof resolvedAtMs === "number" ? { resolvedAtMs } : {}),
  };
}

/** What a condition and a told alert have in common. */
function parseSaid(value: unknown): Omit<Condition, "forMs" | "keepMs"> | undefined {
  if (!isRecord(value)) return undefined;
  const { fingerprint, summary } = value;
  const [kind, severity] = [parseKind(value["kind"]), parseSeverity(value["severity"])];
  const labels = parseLabels(value["labels"]);
  if (typeof fingerprint !== "string" || typeof summary !== "string") return undefined;
  if (kind === undefined || severity === undefined || labels === undefined) return undefined;
  return { fingerprint, kind, severity, labels, summary };
}

const parseKind = (value: unknown): AlertKind | undefined => ALERT_KINDS.find((kind) => kind === value);
const parseSeverity = (value: unknown): Severity | undefined => SEVERITIES.find((severity) => severity === value);

function parseLabels(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isRecord(value)) return undefined;
  return Object.fromEntries(Object.entries(value).map(([label, text]) => [label, String(text)]));
}

function parseLife(value: unknown): AlertLife | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, firesAtMs, firedAtMs, absentSinceMs, resolvedAtMs } = value;
  if (kind === "pending" && typeof firesAtMs === "number") return { kind, firesAtMs };
  if (typeof firedAtMs !== "number") return undefined;
  if (kind === "firing") return { kind, firedAtMs, ...(typeof absentSinceMs === "number" ? { absentSinceMs } : {}) };
  return kind === "resolved" && typeof resolvedAtMs === "number" ? { kind, firedAtMs, resolvedAtMs } : undefined;
}

function parseTold(value: unknown): Told | undefined {
  if (!isRecord(value)) return undefined;
  const { receiverId, count, atMs, over } = value;
  if (typeof receiverId !== "string" || typeof count !== "number" || typeof atMs !== "number") return undefined;
  return { receiverId, count, atMs, over: over === true };
}
