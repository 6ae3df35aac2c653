/** JWT: tokens that would live for ever, are over, or have not begun. RFC 8725 section 3.10 with RFC 7519 section 4.1.4. */
import { beforeEach, describe, expect, it } from "vitest";
import { expectAllRefused, expectRefused, heldClock, withOrigin } from "./callers.ts";
import { bearing, Issuer, seconds, tokenGateway } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

describe("a token whose time is not now", () => {
  it("is refused, first of all one without an end", async () => {
    const clock = heldClock();
    const gateway = await tokenGateway();
    const now = seconds(clock.startMs);
    const tokens = await Promise.all([
      issuer.sign({ exp: undefined }),
      issuer.sign({ exp: null }),
      issuer.sign({ exp: String(now + 3_600) }),
      issuer.sign({ exp: [now + 3_600] }),
      issuer.sign({ exp: {} }),
      issuer.sign({ exp: true }),
      issuer.sign({ exp: 0 }),
      issuer.sign({ exp: -1 }),
      issuer.sign({ exp: now - 30 }),
      issuer.sign({ nbf: now + 31 }),
      issuer.sign({ nbf: "0" }),
      issuer.sign({ nbf: String(now - 10) }),
    ]);
    await expectAllRefused(gateway, tokens.map(bearing));
    const within = await Promise.all([issuer.sign({ exp: now - 29 }), issuer.sign({ nbf: now + 30 })]);
    for (const token of within) expect((await gateway.send(bearing(token))).status).toBe(200);
  });

  it("is refused from its end on, also where it was good and is remembered", async () => {
    const clock = heldClock();
    const gateway = await tokenGateway({ clockTolerance: "0s" });
    const headers = bearing(await issuer.sign({ exp: seconds(clock.startMs) + 60 }));
    expect((await gateway.send(headers)).status).toBe(200);
    clock.advance(59_999);
    expect((await gateway.send(headers)).status).toBe(200);
    clock.advance(1);
    await expectRefused(gateway, headers);
  });
});
