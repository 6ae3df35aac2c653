/** JWT: headers that would change what is checked, and tokens made for another purpose. RFC 7515 4.1.11, RFC 7797, RFC 8725 3.11. */
import { beforeEach, describe, expect, it } from "vitest";
import { expectAllRefused, withOrigin } from "./callers.ts";
import { base64url, bearing, Issuer, tokenGateway } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

describe("a token that is truly signed, but of another kind", () => {
  it("is refused for critical headers and foreign types", async () => {
    const gateway = await tokenGateway();
    const tokens = await Promise.all([
      issuer.sign({}, { crit: ["x-own"], "x-own": true }),
      ...["logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "application/json", "", 1, ["JWT"], null].map((typ) =>
        issuer.sign({}, { typ }),
      ),
    ]);
    await expectAllRefused(gateway, tokens.map(bearing));
    for (const typ of [undefined, "JWT", "jwt", "at+jwt", "application/at+jwt"]) {
      expect((await gateway.send(bearing(await issuer.sign({}, { typ })))).status).toBe(200);
    }
  });

  it("is refused when a header is added to it, or its parts are no JSON", async () => {
    const gateway = await tokenGateway();
    const [header = "", payload = "", signature = ""] = (await issuer.sign()).split(".");
    const parts = [
      [base64url({ alg: "ES256", kid: "k1", b64: false, crit: ["b64"] }), payload, signature],
      [base64url({ alg: "ES256", kid: "k1", crit: [] }), payload, signature],
      [base64url("not json"), payload, signature],
      [base64url("[]"), payload, signature],
      [base64url("null"), payload, signature],
      [header, base64url("not json"), signature],
      [header, base64url("[]"), signature],
      [`${header}=`, payload, signature],
      [header, payload, `${signature}=`],
      [header, payload, "A".repeat(86)],
      [header, "A".repeat(20_000), signature],
    ];
    await expectAllRefused(
      gateway,
      parts.map((token) => bearing(token.join("."))),
    );
  });
});
