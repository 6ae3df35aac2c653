/** JWTs that are good: what they cost, whom they name, what of them goes on, and how keys are changed. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { arrivals, heldClock, withOrigin } from "../attacks/callers.ts";
import { bearing, Issuer, RULE, tokenGateway } from "../attacks/issuer.ts";
import { eventually, Gateway } from "./gateway.ts";

const HELD = {
  plans: {
    open: {},
    held: { limits: { requests: { rate: "1/h", deadline: "5s", burst: 2 } }, concurrency: 9 },
    gold: { limits: { requests: { rate: "1/h", deadline: "5s", burst: 4 } } },
  },
};

let issuer = new Issuer();
withOrigin((url) => issuer.elsewhere(url));
beforeEach(async () => {
  issuer = new Issuer();
  await issuer.addKey("k1");
});

describe("a token that is good", () => {
  it("costs one signature check, and none once it is known: then its caller is found without waiting", async () => {
    const verify = vi.spyOn(crypto.subtle, "verify");
    const gateway = await tokenGateway();
    const headers = bearing(await issuer.sign());
    expect(await gateway.statuses(20, headers)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(verify).toHaveBeenCalledTimes(1);
    expect(issuer.asked).toBe(1);
    const site = { waitUntil: () => undefined, pop: gateway.edge.pop };
    const [rule] = gateway.edge.tables.identity;
    if (rule?.type !== "jwt") throw new TypeError("no rule");
    const text = headers["authorization"]?.slice("Bearer ".length) ?? "";
    expect(gateway.edge.tokens.known(rule, text, site, Date.now())).toMatchObject({ tenantId: "acme" });
  });

  it("is not passed on, unless the config says so", async () => {
    for (const forward of [undefined, true]) {
      const gateway = await tokenGateway(forward === undefined ? {} : { forward });
      const headers = bearing(await issuer.sign());
      expect((await gateway.send(headers)).status).toBe(200);
      expect(arrivals.at(-1)?.headers.get("authorization")).toBe(forward ? headers["authorization"] : null);
    }
  });

  it("comes in another header without a scheme, and leaves Authorization to the origin", async () => {
    const gateway = await tokenGateway({ header: "X-Token" });
    const answer = await gateway.send({ "x-token": await issuer.sign(), authorization: "Basic YTpi" });
    expect(answer.status).toBe(200);
    const [arrival] = arrivals;
    expect([arrival?.headers.get("authorization"), arrival?.headers.get("x-token")]).toEqual(["Basic YTpi", null]);
  });

  it.each(["ES384", "ES512", "EdDSA", "RS256", "RS512", "PS256", "PS384"])("may be signed by %s", async (alg) => {
    await issuer.addKey("other", alg);
    const gateway = await tokenGateway({ algorithms: [alg] });
    expect((await gateway.send(bearing(await issuer.sign({}, {}, "other")))).status).toBe(200);
  });

  it("has one principal for each subject, under a name that says nothing of it", async () => {
    const limits = { each: { rate: "1/h", deadline: "5s", burst: 1, partition: "principal" } };
    const gateway = await tokenGateway({}, { plans: { open: {}, held: { limits } } });
    const as = async (claims: Record<string, unknown>): Promise<Response> =>
      gateway.send(bearing(await issuer.sign(claims)));
    for (const sub of ["ann@acme.example", "bob@acme.example", undefined]) {
      const answer = await as({ sub });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("ratelimit")).toMatch(/^"each";r=0;t=\d+;pk=:[A-Za-z0-9+/]{16}:$/);
      expect((await as({ sub, iat: 1 })).status).toBe(429);
    }
  });
});

describe("the plan that a token names", () => {
  it("takes the place of the tenant's, with partitions of its own; without one it is the tenant's", async () => {
    const gateway = await tokenGateway({}, HELD);
    const gold = bearing(await issuer.sign({ plan: "gold" }));
    const plain = bearing(await issuer.sign());
    expect(await gateway.statuses(5, gold)).toEqual([200, 200, 200, 200, 429]);
    expect(await gateway.statuses(3, plain)).toEqual([200, 200, 429]);
    expect((await gateway.send(bearing(await issuer.sign({ plan: "held", sub: "bob" })))).status).toBe(429);
  });

  it("leaves the tenant its own limits", async () => {
    const own = { plan: "held", limits: { requests: { rate: "1/h", deadline: "5s", burst: 1 } } };
    const gateway = await tokenGateway({}, { ...HELD, tenants: { acme: own } });
    expect(await gateway.statuses(1, bearing(await issuer.sign()))).toEqual([200]);
    expect(await gateway.statuses(1, bearing(await issuer.sign({ plan: "gold" })))).toEqual([429]);
  });

  it("is not read where the config does not name its claim", async () => {
    const { planClaim: _claim, ...rule } = RULE;
    const gateway = await Gateway.of({ ...HELD, identity: [rule], tenants: { acme: { plan: "held" } } });
    expect(await gateway.statuses(3, bearing(await issuer.sign({ plan: "gold" })))).toEqual([200, 200, 429]);
  });
});

describe("an issuer that changes its keys", () => {
  it("is asked again for a key id that is new, and behind requests when its keys are five minutes old", async () => {
    const clock = heldClock();
    const gateway = await tokenGateway();
    const old = bearing(await issuer.sign());
    expect((await gateway.send(old)).status).toBe(200);
    await issuer.addKey("k2");
    clock.advance(10_000);
    expect((await gateway.send(bearing(await issuer.sign({}, {}, "k2")))).status).toBe(200);
    expect(issuer.asked).toBe(2);
    clock.advance(300_001);
    expect((await gateway.send(old)).status).toBe(200);
    await eventually(() => {
      expect(issuer.asked).toBe(3);
    });
  });

  it("is asked once for a PoP: another isolate finds the keys in its cache", async () => {
    const pop = `pop-${crypto.randomUUID()}`;
    const identity = [RULE];
    const tenants = { acme: { plan: "open" } };
    const [first, second] = await Promise.all([
      Gateway.of({ identity, tenants }, pop),
      Gateway.of({ identity, tenants }, pop),
    ]);
    const headers = bearing(await issuer.sign());
    expect((await first?.send(headers))?.status).toBe(200);
    await eventually(async () => {
      const cached = await caches.default.match(`https://weir-jwks.invalid/${pop}/${encodeURIComponent(RULE.jwks)}`);
      expect(cached?.status).toBe(200);
    });
    issuer.answer = () => Promise.reject(new Error("Network connection lost."));
    expect((await second?.send(headers))?.status).toBe(200);
    expect(issuer.asked).toBe(1);
  });

  it("finds what is no key in the PoP's cache passed over", async () => {
    const pop = `pop-${crypto.randomUUID()}`;
    const headers = { "cache-control": "public, max-age=60", "weir-fetched-at": String(Date.now()) };
    const url = `https://weir-jwks.invalid/${pop}/${encodeURIComponent(RULE.jwks)}`;
    await caches.default.put(url, new Response("{", { headers }));
    const gateway = await Gateway.of({ identity: [RULE], tenants: { acme: { plan: "open" } } }, pop);
    expect((await gateway.send(bearing(await issuer.sign()))).status).toBe(200);
    expect(issuer.asked).toBe(1);
  });
});
