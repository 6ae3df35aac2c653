/** Attack: a config sends the gateway where only its own machine or network reaches: metadata services, admin ports, itself. */
import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { packConfig } from "../../src/config/packed.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { AdminSite } from "../edge/admin-site.ts";

afterEach(() => reset());

const fileOf = (url: string, more: Record<string, unknown> = {}) => ({
  version: 1,
  origins: { app: { url } },
  identity: [{ type: "anonymous", plan: "open" }],
  plans: { open: {} },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  ...more,
});

const PRIVATE = [
  "http://127.0.0.1",
  "http://127.0.0.1.",
  "http://127.1:8080/admin",
  "http://0.0.0.0",
  "http://2130706433",
  "http://0x7f000001",
  "http://0177.0.0.1",
  "http://127.0.0.1%2f",
  "http://①②⑦.0.0.1",
  "http://[::1]",
  "http://[::]",
  "http://[::ffff:127.0.0.1]",
  "http://[::ffff:7f00:1]",
  "http://[::ffff:a9fe:a9fe]",
  "http://[64:ff9b::7f00:1]",
  "http://[2002:7f00:1::]",
  "http://[fd00:ec2::254]",
  "http://[fe80::1]",
  "http://localhost",
  "http://LOCALHOST",
  "http://localhost.",
  "http://app.localhost:3000",
  "http://169.254.169.254",
  "http://2852039166",
  "http://0xa9fea9fe",
  "http://0251.0376.0251.0376",
  "http://metadata.google.internal",
  "http://metadata",
  "http://db.internal.",
  "http://printer.local",
  "http://10.0.0.1",
  "http://172.16.0.1",
  "http://192.168.0.1",
  "http://100.64.0.1",
  "http://224.0.0.1",
  "http://255.255.255.255",
] as const;

const NO_ORIGINS = [
  "https://user@shop.example",
  "https://shop.example@127.0.0.1",
  "https://user:secret@shop.example",
  "file:///etc/passwd",
  "gopher://shop.example",
  "//127.0.0.1",
  "javascript:alert(1)",
  "https://shop.example/?next=http://127.0.0.1",
] as const;

async function apply(site: AdminSite, file: unknown) {
  const call = { headers: { "if-match": '"0"' } };
  return site.call("POST", "/configs", { text: JSON.stringify(file) }, call);
}

const inForce = async () => (await env.CONTROL.getByName(CONTROL_OBJECT).inForce({ v: 1 })).inForce;

describe("an origin in a private network", () => {
  it.each(PRIVATE)("is refused when it is applied, however it is written: %s", async (url) => {
    const refused = await apply(await AdminSite.make(), fileOf(url));
    expect([refused.status, refused.json["problems"]]).toEqual([
      422,
      expect.arrayContaining([expect.objectContaining({ path: "origins.app.url" })]),
    ]);
    expect(await inForce()).toBeUndefined();
  });

  it.each(NO_ORIGINS)("is not slipped in by what is no origin: %s", async (url) => {
    const site = await AdminSite.make();
    site.bindings = { ...env, WEIR_ALLOW_PRIVATE_ORIGINS: "1" };
    expect((await apply(site, fileOf(url))).status).toBe(422);
    expect(await inForce()).toBeUndefined();
  });

  it.each(["https://shop.example", "https://93.184.216.34", "http://[2606:4700::1111]:8443/base"])(
    "is not taken for one that is public: %s",
    async (url) => {
      expect((await apply(await AdminSite.make(), fileOf(url))).status).toBe(201);
    },
  );

  it("is allowed by a flag of the deployment, but never a link-local one", async () => {
    const site = await AdminSite.make();
    for (const flag of ["", "0", "true", "yes"]) {
      site.bindings = { ...env, WEIR_ALLOW_PRIVATE_ORIGINS: flag };
      expect([flag, (await apply(site, fileOf("http://127.0.0.1:9100"))).status]).toEqual([flag, 422]);
    }
    site.bindings = { ...env, WEIR_ALLOW_PRIVATE_ORIGINS: "1" };
    for (const url of [
      "http://169.254.169.254",
      "http://[fe80::1]",
      "http://[::ffff:169.254.169.254]",
      "http://2852039166",
    ]) {
      expect([url, (await apply(site, fileOf(url))).status]).toEqual([url, 422]);
    }
    expect((await apply(site, fileOf("http://127.0.0.1:9100"))).status).toBe(201);
  });

  it.each(["https://127.0.0.1/keys", "http://localhost/keys", "https://169.254.169.254/latest", "https://10.1.2.3/k"])(
    "is refused as the place of an issuer's keys: %s",
    async (jwks) => {
      const rule = { type: "jwt", issuer: "https://issuer.example", audience: "api", jwks, tenantClaim: "tenant" };
      const refused = await apply(await AdminSite.make(), fileOf("https://shop.example", { identity: [rule] }));
      expect([refused.status, refused.json["problems"]]).toEqual([
        422,
        expect.arrayContaining([expect.objectContaining({ path: "identity.0.jwks" })]),
      ]);
    },
  );

  it("is refused by a rollback, too, where a version has one from elsewhere", async () => {
    const site = await AdminSite.make();
    const control = env.CONTROL.getByName(CONTROL_OBJECT);
    const { config } = site.edge.config.tables;
    const inside = { ...config, origins: config.origins.map((origin) => ({ ...origin, url: "http://10.0.0.1" })) };
    for (const [index, content] of [inside, config].entries()) {
      const packed = await packConfig({ ...content, hash: `hash ${index}` });
      const trial = undefined;
      const write = { hash: `hash ${index}`, packed, text: "{}", author: "x", message: "", originIds: ["app"] };
      await control.apply({ v: 1, ...write, expected: index, trial });
    }
    const back = { headers: { "if-match": '"2"' } };
    const refused = await site.call("POST", "/configs/rollback", { number: 1 }, back);
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining("10.0.0.1")]);
    expect((await inForce())?.number).toBe(2);
  });
});
