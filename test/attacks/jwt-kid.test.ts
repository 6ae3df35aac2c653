/** JWT: key ids that are paths, addresses or floods, and tokens that bring or name their own key. RFC 8725 section 3.10. */
import { beforeEach, describe, expect, it } from "vitest";
import { expectAllRefused, heldClock, withOrigin } from "./callers.ts";
import { bearing, Issuer, JWKS, tokenGateway } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

const KIDS: readonly unknown[] = [
  "../../../../etc/passwd",
  "/dev/null",
  "https://attacker.example/keys.json",
  "file:///proc/self/environ",
  "' OR 1=1 --",
  "k1\u0000",
  "K1",
  "k1 ",
  "",
  "__proto__",
  "constructor",
  "k".repeat(257),
  "k".repeat(7_000),
  0,
  null,
  true,
  ["k1"],
  { kid: "k1" },
];

describe("a token that says where its key is", () => {
  it("is refused for an unknown or impossible key id, which is looked up nowhere", async () => {
    heldClock();
    const gateway = await tokenGateway();
    expect((await gateway.send(bearing(await issuer.sign()))).status).toBe(200);
    const tokens = await Promise.all(KIDS.map((kid) => issuer.sign({}, { kid })));
    await expectAllRefused(gateway, tokens.map(bearing));
    expect(issuer.strayed).toEqual([]);
    // The keys had just been asked for.
    expect(issuer.asked).toBe(1);
  });

  it("is refused when it brings its own key, or names a place where that is", async () => {
    const attacker = new Issuer();
    const jwk = await attacker.addKey("k1");
    attacker.published.push(await attacker.addKey("mine"));
    const gateway = await tokenGateway();
    const jku = "https://attacker.example/keys.json";
    const headers = [{ jwk }, { jku }, { x5u: jku }, { x5c: ["MIIB"] }, { jku: JWKS, jwk }, { kid: "mine", jwk, jku }];
    const forged = await Promise.all(headers.map((header) => attacker.sign({}, header)));
    await expectAllRefused(gateway, forged.map(bearing));
    expect(issuer.strayed).toEqual([]);
    // A true token that names such places is taken by its signature, and they are not read.
    expect((await gateway.send(bearing(await issuer.sign({}, { jku, x5u: jku })))).status).toBe(200);
    expect(issuer.strayed).toEqual([]);
  });

  it("moves an isolate to one look at the issuer's keys in ten seconds, however many ids come", async () => {
    const clock = heldClock();
    const gateway = await tokenGateway();
    expect((await gateway.send(bearing(await issuer.sign()))).status).toBe(200);
    for (let round = 1; round <= 3; round++) {
      clock.advance(10_000);
      const flood = await Promise.all(
        Array.from({ length: 50 }, (_, index) => issuer.sign({}, { kid: `random-${round}-${index}` })),
      );
      const answers = await Promise.all(flood.map((token) => gateway.send(bearing(token))));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401));
      expect(issuer.asked).toBe(1 + round);
    }
  });

  it("is refused without a key id when more than one key could be meant", async () => {
    await issuer.addKey("k2");
    const gateway = await tokenGateway();
    const [named, unnamed] = await Promise.all([issuer.sign(), issuer.sign({}, { kid: undefined })]);
    await expectAllRefused(gateway, [bearing(unnamed)]);
    expect((await gateway.send(bearing(named))).status).toBe(200);
  });
});
