/** JWT: true tokens that were made for somebody else, or by somebody else. RFC 8725 sections 3.8 and 3.9. */
import { beforeEach, describe, expect, it } from "vitest";
import { expectAllRefused, withOrigin } from "./callers.ts";
import { AUDIENCE, bearing, Issuer, ISSUER, tokenGateway } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

describe("a token for another audience or from another issuer", () => {
  it("is refused, also when it only looks alike", async () => {
    const gateway = await tokenGateway();
    const claims: readonly Record<string, unknown>[] = [
      ...[
        undefined,
        null,
        "",
        "another",
        `${AUDIENCE} `,
        AUDIENCE.toUpperCase(),
        [],
        ["another"],
        [[AUDIENCE]],
        { 0: AUDIENCE },
      ].map((aud) => ({ aud })),
      ...[
        undefined,
        null,
        "",
        "https://issuer.example",
        `${ISSUER}/`,
        ISSUER.toUpperCase(),
        [ISSUER],
        "https://attacker.example/",
      ].map((iss) => ({ iss })),
    ];
    const tokens = await Promise.all(claims.map((claim) => issuer.sign(claim)));
    await expectAllRefused(gateway, tokens.map(bearing));
    expect((await gateway.send(bearing(await issuer.sign({ aud: ["another", AUDIENCE] })))).status).toBe(200);
  });

  it("of an issuer with the same key ids is refused", async () => {
    const other = new Issuer();
    await other.addKey("k1");
    const gateway = await tokenGateway();
    await expectAllRefused(gateway, [bearing(await other.sign())]);
  });
});
