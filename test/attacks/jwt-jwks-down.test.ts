/** JWT: the issuer's keys are out of reach, or what comes from there is no key set. The last good keys serve for a day. */
import { beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../edge/gateway.ts";
import { expectRefused, heldClock, shapeOf, withOrigin } from "./callers.ts";
import { bearing, Issuer, seconds, tokenGateway } from "./issuer.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

const OUTAGES: Readonly<Record<string, () => Promise<Response>>> = {
  "refuses connections": () => Promise.reject(new Error("Network connection lost.")),
  "answers 500": async () => new Response("no", { status: 500 }),
  "redirects to another place": async () => Response.redirect("https://attacker.example/keys.json", 302),
  "answers with a page": async () => new Response("<html>"),
  "answers with an empty set": async () => Response.json({ keys: [] }),
  "answers with something else": async () => Response.json({ keys: "k1" }),
  "answers without an end": async () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          controller.enqueue(new Uint8Array(65_536));
        },
      }),
    ),
};

const goodFor = (ms: number): Promise<string> => issuer.sign({ exp: seconds(Date.now() + ms) });

describe("an issuer that", () => {
  it.each(Object.keys(OUTAGES))("%s is lived without for a day, by new tokens too, and not longer", async (outage) => {
    const clock = heldClock();
    const gateway = await tokenGateway();
    const known = bearing(await goodFor(10 * DAY_MS));
    expect((await gateway.send(known)).status).toBe(200);
    issuer.answer = OUTAGES[outage] ?? issuer.answer;
    for (const minutes of [6, 20, 700, 714]) {
      clock.advance(minutes * MINUTE_MS);
      expect((await gateway.send(known)).status).toBe(200);
      expect((await gateway.send(bearing(await goodFor(DAY_MS)))).status).toBe(200);
    }
    clock.advance(MINUTE_MS);
    for (const headers of [known, bearing(await goodFor(DAY_MS))]) {
      const answer = await gateway.send(headers);
      expect(answer.headers.get("retry-after")).toBe("10");
      expect(await shapeOf(answer)).toMatchObject({
        status: 503,
        body: { type: "urn:weir:problem:token-unverifiable" },
      });
    }
    expect(issuer.strayed).toEqual([]);
  });

  it.each(Object.keys(OUTAGES))(
    "%s from the beginning is asked once in ten seconds, and then believed again",
    async (outage) => {
      const clock = heldClock();
      const gateway = await tokenGateway();
      const { answer } = issuer;
      issuer.answer = OUTAGES[outage] ?? answer;
      const headers = bearing(await issuer.sign());
      const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.send(headers)));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
      expect(issuer.asked).toBe(1);
      issuer.answer = answer;
      expect((await gateway.send(headers)).status).toBe(503);
      clock.advance(10_000);
      expect((await gateway.send(headers)).status).toBe(200);
      expect(issuer.asked).toBe(2);
    },
  );

  it("hangs keeps a request no longer than its deadline, and the next ones not at all", async () => {
    const gateway = await tokenGateway();
    issuer.answer = () => new Promise(() => undefined);
    const headers = bearing(await issuer.sign());
    const began = performance.now();
    expect((await gateway.send(headers)).status).toBe(503);
    expect(performance.now() - began).toBeLessThan(8_000);
    const again = performance.now();
    expect((await gateway.send(headers)).status).toBe(503);
    expect(performance.now() - again).toBeLessThan(1_500);
  });

  it("took a key back is obeyed within five minutes, also for tokens that are remembered", async () => {
    const clock = heldClock();
    const gateway = await tokenGateway();
    const stolen = bearing(await goodFor(DAY_MS));
    expect((await gateway.send(stolen)).status).toBe(200);
    await issuer.addKey("k2");
    issuer.withdrawKey("k1");
    clock.advance(5 * MINUTE_MS + 1);
    await eventually(() => expectRefused(gateway, stolen));
    expect((await gateway.send(bearing(await issuer.sign({}, {}, "k2")))).status).toBe(200);
  });

  it("took a key back is obeyed at once by an isolate that was idle for ten minutes", async () => {
    const clock = heldClock();
    const gateway = await tokenGateway();
    const stolen = bearing(await goodFor(DAY_MS));
    expect((await gateway.send(stolen)).status).toBe(200);
    await issuer.addKey("k2");
    issuer.withdrawKey("k1");
    clock.advance(10 * MINUTE_MS + 1);
    await expectRefused(gateway, stolen);
  });
});
