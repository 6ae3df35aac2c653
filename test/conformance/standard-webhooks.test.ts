/**
 * Standard Webhooks (https://www.standardwebhooks.com): what a receiver gets over a real socket, judged by the library of
 * those who wrote the specification; and what becomes of a try that a receiver refuses, hangs, cuts off or redirects.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { tryDelivery } from "../../src/coordinators/monitor/delivery.ts";
import { fateOf } from "../../src/policy/alerting/retry.ts";
import type { Notification, Receiver, ReceiverKind } from "../../src/policy/alerting/types.ts";

const SECRET = `whsec_${Buffer.from("a receiver's secret, 32 bytes long").toString("base64")}`;
const FIRED = Date.UTC(2026, 10, 26, 9, 0, 0);
const firing = {
  fingerprint: "breaker|origin=shop",
  status: "firing",
  kind: "breaker",
  severity: "page",
  labels: { origin: "shop" },
  summary: "The breaker of origin shop is <open> & closed: failures",
  firedAtMs: FIRED,
} as const;
const resolved = { ...firing, status: "resolved", resolvedAtMs: FIRED + 90_000 } as const;
const notification = (change: Partial<Notification> = {}): Notification => ({
  id: "weir_0123456789abcdef01234567",
  receiverId: "ops",
  group: "breaker:shop",
  createdAtMs: FIRED + 1_000,
  alerts: [firing],
  ...change,
});

interface Got {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
const got: Got[] = [];
let respond: (response: ServerResponse) => void;
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    got.push({ url: request.url ?? "", headers: request.headers, body });
    respond(response);
  });
});
let base = "";
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  base = typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : "";
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
afterEach(() => {
  got.length = 0;
  vi.restoreAllMocks();
});
const ok = (response: ServerResponse): void => void response.writeHead(202).end("thanks");
const send = (kind: ReceiverKind, told: Notification, secrets: Readonly<Record<string, string>>) => {
  const receiver: Receiver = { id: "ops", kind, url: `${base}/${kind}`, secretName: "WEIR_OPS", severity: "info" };
  return tryDelivery(told, receiver, secrets, Date.now());
};

describe("a webhook", () => {
  it("is signed so that the specification's library takes it, and no other body, id, time or secret", async () => {
    respond = ok;
    expect(await send("webhook", notification(), { WEIR_OPS: SECRET })).toMatchObject({ status: 202 });
    const { headers, body }: Omit<Got, "url"> = got[0] ?? { headers: {}, body: "" };
    const signed = {
      "webhook-id": String(headers["webhook-id"]),
      "webhook-timestamp": String(headers["webhook-timestamp"]),
      "webhook-signature": String(headers["webhook-signature"]),
    };
    const webhook = new Webhook(SECRET);
    expect(signed["webhook-id"]).toBe("weir_0123456789abcdef01234567");
    expect(webhook.verify(body, signed)).toEqual({
      type: "weir.alerts",
      timestamp: "2026-11-26T09:00:01.000Z",
      data: {
        receiver: "ops",
        group: "breaker:shop",
        status: "firing",
        alerts: [
          {
            fingerprint: "breaker|origin=shop",
            status: "firing",
            kind: "breaker",
            severity: "page",
            labels: { origin: "shop" },
            summary: firing.summary,
            startsAt: "2026-11-26T09:00:00.000Z",
            endsAt: null,
          },
        ],
      },
    });
    expect(() => webhook.verify(`${body} `, signed)).toThrow();
    expect(() => webhook.verify(body, { ...signed, "webhook-id": "other" })).toThrow();
    expect(() => webhook.verify(body, { ...signed, "webhook-timestamp": "1" })).toThrow();
    expect(() => new Webhook(Buffer.from("another").toString("base64")).verify(body, signed)).toThrow();
  });

  it("says the same under the same id with every try, and that it is over when all of it is", async () => {
    respond = ok;
    await send("webhook", notification(), { WEIR_OPS: SECRET });
    await send("webhook", notification(), { WEIR_OPS: SECRET });
    await send("webhook", notification({ alerts: [resolved] }), { WEIR_OPS: SECRET });
    expect(got[1]?.body).toBe(got[0]?.body);
    expect(got[1]?.headers["webhook-id"]).toBe(got[0]?.headers["webhook-id"]);
    expect(JSON.parse(got[2]?.body ?? "")).toMatchObject({
      data: { status: "resolved", alerts: [{ endsAt: "2026-11-26T09:01:30.000Z" }] },
    });
  });

  it.each([["not base64!"], ["whsec_%%%"]])(
    "is not sent with the secret %j, which is said without it",
    async (secret) => {
      const tried = await send("webhook", notification(), { WEIR_OPS: secret });
      expect(tried).toEqual({ kind: "failed", why: "secret WEIR_OPS is not whsec_ and base64" });
      expect(got).toEqual([]);
    },
  );
});

describe("what Slack and PagerDuty get", () => {
  it("is a text with an attachment for each alert, its control characters escaped", async () => {
    respond = ok;
    await send("slack", notification({ alerts: [firing, resolved] }), { WEIR_OPS: `${base}/hook` });
    expect(got[0]?.url).toBe("/hook");
    expect(JSON.parse(got[0]?.body ?? "")).toMatchObject({
      text: "Weir: 1 firing, 1 resolved",
      attachments: [
        { title: "page: breaker", text: "The breaker of origin shop is &lt;open&gt; &amp; closed: failures" },
        { title: "Resolved: breaker", color: "#16a34a" },
      ],
    });
  });

  it("is an event under the alert's own key, triggered and resolved", async () => {
    respond = ok;
    await send("pagerduty", notification(), { WEIR_OPS: "routing" });
    await send("pagerduty", notification({ alerts: [resolved] }), { WEIR_OPS: "routing" });
    expect(got.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      {
        routing_key: "routing",
        dedup_key: "breaker|origin=shop",
        event_action: "trigger",
        payload: {
          summary: firing.summary,
          source: "weir",
          severity: "critical",
          timestamp: "2026-11-26T09:00:00.000Z",
          class: "breaker",
          component: "shop",
          custom_details: { origin: "shop" },
        },
      },
      { routing_key: "routing", dedup_key: "breaker|origin=shop", event_action: "resolve" },
    ]);
  });
});

describe("a try", () => {
  const fate = async (): Promise<string> =>
    fateOf(await send("webhook", notification(), { WEIR_OPS: SECRET }), 1, Date.now(), Date.now(), 0.5).kind;

  it.each([
    [200, "delivered"],
    [204, "delivered"],
    [302, "again"],
    [401, "again"],
    [410, "dead"],
    [429, "again"],
    [503, "again"],
  ])("answered with %i is %s; a redirect is not followed", async (status, expected) => {
    respond = (response) => void response.writeHead(status, { location: `${base}/elsewhere` }).end();
    expect(await fate()).toBe(expected);
    expect(got.map(({ url }) => url)).toEqual(["/webhook"]);
  });

  it.each([
    ["30", 30_000],
    [new Date(Date.now() + 60_000).toUTCString(), 60_000],
    ["soon", 0],
  ])("heeds Retry-After: %s", async (value, expectedMs) => {
    respond = (response) => void response.writeHead(503, { "retry-after": value }).end();
    const tried = await send("webhook", notification(), { WEIR_OPS: SECRET });
    const askedMs = tried.kind === "answered" ? tried.retryAfterMs : -1;
    expect(Math.abs(askedMs - expectedMs)).toBeLessThanOrEqual(expectedMs === 60_000 ? 30_000 : 0);
  });

  it("that is cut off, or refused, is made again", async () => {
    respond = (response) => response.socket?.destroy();
    expect(await fate()).toBe("again");
    const receiver: Receiver = { id: "ops", kind: "slack", secretName: "WEIR_OPS", severity: "info" };
    const secrets = { WEIR_OPS: "http://127.0.0.1:1/secret-hook" };
    const tried = await tryDelivery(notification(), receiver, secrets, Date.now());
    expect(tried).toEqual({ kind: "failed", why: "no connection" });
  });

  it("that gets no answer ends at its deadline", async () => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    const asked = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => timeout(100));
    respond = () => undefined;
    expect(await send("webhook", notification(), { WEIR_OPS: SECRET })).toEqual({
      kind: "failed",
      why: "no answer within 5 s",
    });
    expect(asked).toHaveBeenCalledWith(5_000);
  });

  it("reads nothing of an endless answer", async () => {
    let isClosed = false;
    respond = (response) => {
      response.writeHead(200);
      const timer = setInterval(() => {
        response.write(Buffer.alloc(65_536));
      }, 1);
      response.on("close", () => {
        clearInterval(timer);
        isClosed = true;
      });
    };
    expect(await fate()).toBe("delivered");
    await vi.waitUntil(() => isClosed, 5_000);
  });
});
