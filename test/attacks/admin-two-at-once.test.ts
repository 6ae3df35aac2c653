/** Attack, or accident: two admins change the config at once, and one silently undoes what the other did. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { AdminSite } from "../edge/admin-site.ts";

afterEach(() => reset());

const text = (burst: number): string =>
  JSON.stringify({
    version: 1,
    origins: { app: { url: "https://app.example" } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "5/s", burst } } } },
    tenants: { acme: { plan: "open" } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });

const matching = (number: number) => ({ headers: { "if-match": `"${number}"` } });

describe("two admins who saw the same config in force", () => {
  it("cannot both change it: one is told what is in force now, on whichever isolate", async () => {
    const [one, other] = await Promise.all([AdminSite.make(), AdminSite.make()]);
    expect((await one.call("POST", "/configs", { text: text(10) }, matching(0))).status).toBe(201);
    for (let round = 1; round <= 5; round++) {
      const answers = await Promise.all([
        one.call("POST", "/configs", { text: text(10 + 2 * round) }, matching(round)),
        other.call("POST", "/configs", { text: text(11 + 2 * round) }, matching(round)),
      ]);
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 412]);
      const lost = answers.find(({ status }) => status === 412);
      expect(lost?.json["inForce"]).toMatchObject({ number: round + 1 });
    }
    const { entries } = (await one.call("GET", "/audit?operation=applyConfig")).json as {
      entries: { outcome: string }[];
    };
    expect(entries.filter(({ outcome }) => outcome === "done")).toHaveLength(6);
    expect(entries.filter(({ outcome }) => outcome === "refused")).toHaveLength(5);
  });

  it("cannot forget to say what they saw", async () => {
    const site = await AdminSite.make();
    expect((await site.call("POST", "/configs", { text: text(10) })).status).toBe(428);
    expect((await site.call("POST", "/configs", { text: text(10) }, { headers: { "if-match": "*" } })).status).toBe(
      400,
    );
  });
});
