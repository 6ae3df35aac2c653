/** JWT: `alg: none`, in every spelling, and a signature left out. RFC 8725 section 2.1. */
import { beforeEach, describe, expect, it } from "vitest";
import { expectAllRefused, withOrigin } from "./callers.ts";
import { base64url, bearing, Issuer, tokenGateway } from "./issuer.ts";

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

describe("a token without a signature", () => {
  it("is refused like any other bad token, whatever it calls its algorithm", async () => {
    const gateway = await tokenGateway();
    const good = await issuer.sign();
    expect((await gateway.send(bearing(good))).status).toBe(200);
    const [header = "", payload = "", signature = ""] = good.split(".");
    const forged = (alg: unknown, rest = `${payload}.`): string =>
      `${base64url({ alg, kid: "k1", typ: "JWT" })}.${rest}`;
    await expectAllRefused(
      gateway,
      [
        ...["none", "None", "NONE", "nOnE", "none ", "", null, undefined, 0, ["none"], ["ES256"]].map((alg) =>
          forged(alg),
        ),
        forged("none", `${payload}.${signature}`),
        forged("ES256"),
        `${header}.${payload}.`,
        `${header}.${payload}`,
        `${header}..${signature}`,
        `.${payload}.${signature}`,
        "..",
        ".",
        "",
        "x",
        `${good}.${signature}`,
        // The five parts of an encrypted token.
        `${header}.${payload}.${signature}.${payload}.${signature}`,
        `${good}, ${good}`,
      ].map(bearing),
    );
  });
});
