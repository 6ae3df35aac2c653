/**
 * One try to tell a receiver: a signed webhook (Standard Webhooks), Slack's incoming webhook, or PagerDuty's Events API v2.
 * Every try of a delivery carries the same id and says the same, so a receiver that knows the id is told once. Redirects are
 * not followed, TIMEOUT_MS at most, and nothing is read of the answer but its status and `Retry-After`. What is said is made
 * of alerts alone, never of a request; the secret goes nowhere but to its receiver, and into no text.
 */
import { MAX_ALERT_SECRET_LENGTH, RESERVED_SECRETS } from "../../policy/alerting/secrets.ts";
import type { Tried } from "../../policy/alerting/retry.ts";
import type { Notification, Receiver, Severity, ToldAlert } from "../../policy/alerting/types.ts";
import { parseHttpDate } from "../../policy/cache/http-date.ts";

export const DELIVERY_TIMEOUT_MS = 5_000;
const JSON_TYPE = { "content-type": "application/json", "user-agent": "weir" };

interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Never throws: whatever happens is a fate. `env`: where secrets are, by name. */
export async function tryDelivery(
  notification: Notification,
  receiver: Receiver | undefined,
  env: object,
  nowMs: number,
): Promise<Tried> {
  if (receiver === undefined) return { kind: "failed", why: "the config has no such receiver any more" };
  const { secretName } = receiver;
  const secret: unknown = RESERVED_SECRETS.has(secretName) ? undefined : Reflect.get(env, secretName);
  if (typeof secret !== "string" || secret === "" || secret.length > MAX_ALERT_SECRET_LENGTH) {
    return { kind: "failed", why: `secret ${secretName} is missing` };
  }
  const message = await messageOf(notification, receiver, secret, nowMs);
  if (typeof message === "string") return { kind: "failed", why: message };
  try {
    const { url, headers, body } = message;
    const response = await fetch(url, {
      method: "POST",
      headers: { ...JSON_TYPE, ...headers },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(DELIVERY_TIMEOUT_MS),
    });
    const retryAfterMs = retryAfterOf(response.headers.get("retry-after"), nowMs);
    await response.body?.cancel();
    return { kind: "answered", status: response.status, retryAfterMs };
  } catch (error) {
    // The runtime's own text may have the URL in it, which can be a secret.
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { kind: "failed", why: isLate ? `no answer within ${DELIVERY_TIMEOUT_MS / 1_000} s` : "no connection" };
  }
}

/** 0: it does not say, or nothing that can be read. */
function retryAfterOf(value: string | null, nowMs: number): number {
  if (value === null) return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  return Math.max(0, (parseHttpDate(value, nowMs) ?? 0) - nowMs);
}

/** A text: why it cannot be made. */
async function messageOf(
  notification: Notification,
  { kind, url = "", secretName }: Receiver,
  secret: string,
  nowMs: number,
): Promise<Message | string> {
  switch (kind) {
    case "webhook": {
      const key = signingKey(secret);
      if (key === undefined) return `secret ${secretName} is not whsec_ and base64`;
      const body = JSON.stringify(webhookBody(notification));
      return { url, body, headers: await signatureHeaders(notification.id, body, key, nowMs) };
    }
    case "slack":
      if (!URL.canParse(secret)) return `secret ${secretName} is no URL`;
      return { url: secret, body: JSON.stringify(slackBody(notification)), headers: {} };
    case "pagerduty": {
      const [alert] = notification.alerts;
      if (alert === undefined) return "it tells of nothing";
      return { url, body: JSON.stringify(pagerDutyBody(alert, secret)), headers: {} };
    }
  }
}

/** `whsec_` and base64, or base64 alone, as Standard Webhooks serialises a secret. */
function signingKey(secret: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(secret.replace(/^whsec_/, "")), (character) => character.charCodeAt(0));
  } catch {
    // Said to the operator by the caller.
    return undefined;
  }
}

/** Standard Webhooks, "Signature scheme": HMAC-SHA-256 over id, timestamp and body. */
async function signatureHeaders(
  id: string,
  body: string,
  key: Uint8Array,
  nowMs: number,
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signed = await crypto.subtle.sign("HMAC", hmac, new TextEncoder().encode(`${id}.${timestamp}.${body}`));
  const signature = btoa(String.fromCharCode(...new Uint8Array(signed)));
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

const iso = (ms: number): string => new Date(ms).toISOString();

function webhookBody({ receiverId, group, createdAtMs, alerts }: Notification): unknown {
  return {
    type: "weir.alerts",
    timestamp: iso(createdAtMs),
    data: {
      receiver: receiverId,
      group,
      status: statusOf(alerts),
      alerts: alerts.map(({ firedAtMs, resolvedAtMs, ...alert }) => ({
        ...alert,
        startsAt: iso(firedAtMs),
        endsAt: resolvedAtMs === undefined ? null : iso(resolvedAtMs),
      })),
    },
  };
}

const statusOf = (alerts: readonly ToldAlert[]): ToldAlert["status"] =>
  alerts.some(({ status }) => status === "firing") ? "firing" : "resolved";

const SLACK_COLOURS: Readonly<Record<Severity, string>> = { page: "#d00000", ticket: "#d97706", info: "#2563eb" };

function slackBody({ alerts }: Notification): unknown {
  const firing = alerts.filter(({ status }) => status === "firing").length;
  const counts = [
    ...(firing > 0 ? [`${firing} firing`] : []),
    ...(firing < alerts.length ? [`${alerts.length - firing} resolved`] : []),
  ];
  return {
    text: `Weir: ${counts.join(", ")}`,
    attachments: alerts.map(({ status, severity, kind, summary, labels, firedAtMs, resolvedAtMs = firedAtMs }) => ({
      color: status === "resolved" ? "#16a34a" : SLACK_COLOURS[severity],
      title: `${status === "resolved" ? "Resolved" : severity}: ${kind}`,
      text: slackText(summary),
      fallback: slackText(summary),
      fields: Object.entries(labels).map(([title, value]) => ({ title, value: slackText(value), short: true })),
      ts: Math.floor(resolvedAtMs / 1_000),
    })),
  };
}

/** Slack's three control characters. */
const slackText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const PAGERDUTY_SEVERITIES = { page: "critical", ticket: "warning", info: "info" } as const;
const MAX_DEDUP_KEY = 255;

function pagerDutyBody(alert: ToldAlert, routingKey: string): unknown {
  const { fingerprint, status, kind, severity, labels, summary, firedAtMs } = alert;
  const event = { routing_key: routingKey, dedup_key: fingerprint.slice(0, MAX_DEDUP_KEY) };
  if (status === "resolved") return { ...event, event_action: "resolve" };
  return {
    ...event,
    event_action: "trigger",
    payload: {
      summary,
      source: "weir",
      severity: PAGERDUTY_SEVERITIES[severity],
      timestamp: iso(firedAtMs),
      class: kind,
      component: labels["origin"] ?? labels["tenant"] ?? kind,
      custom_details: labels,
    },
  };
}
