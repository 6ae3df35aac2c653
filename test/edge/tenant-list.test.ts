/** The list of tenants: those of the config file and those made through the API in one order, whatever is asked for. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TenantList } from "../../src/admin/contract.ts";
import { AdminSite } from "./admin-site.ts";

const FILED = Array.from({ length: 30 }, (_, number) => `t${String(number * 2).padStart(3, "0")}-file`);
const MADE = Array.from({ length: 20 }, (_, number) => `t${String(number * 3).padStart(3, "0")}-made`);
const PLANS = { open: {}, pro: {} };

let site: AdminSite;
beforeEach(async () => {
  const tenants = Object.fromEntries(FILED.map((id, index) => [id, { plan: index % 5 === 0 ? "pro" : "open" }]));
  site = await AdminSite.make({ plans: PLANS, tenants });
  const made = MADE.map((id, index) => ({ id, plan: index % 4 === 0 ? "pro" : "open", label: `Made ${index}` }));
  expect((await site.call("POST", "/tenants/import", { tenants: made })).status).toBe(200);
});
afterEach(() => reset());

/** Every page of a query, none of them longer than `limit`. */
async function listed(query: string, limit = 7): Promise<readonly TenantList["tenants"][number][]> {
  const views: TenantList["tenants"][number][] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await site.call("GET", `/tenants?limit=${limit}${query}${from}`);
    expect(answer.status).toBe(200);
    const page = answer.json as unknown as TenantList;
    expect(page.tenants.length).toBeLessThanOrEqual(limit);
    views.push(...page.tenants);
    cursor = page.next;
  }
  return views;
}
const idsOf = (views: readonly { readonly tenant: string }[]): string[] => views.map(({ tenant }) => tenant);

describe("the list of tenants", () => {
  it.each([1, 7, 30, 49, 50, 51])("has all of them once and in order, in pages of %i", async (limit) => {
    expect(idsOf(await listed("", limit))).toEqual([...FILED, ...MADE].toSorted());
  });

  it.each([1, 7, 30, 50])("has those of the file, or those made here, when asked, in pages of %i", async (limit) => {
    expect(idsOf(await listed("&source=file", limit))).toEqual(FILED);
    expect(idsOf(await listed("&source=api", limit))).toEqual(MADE);
  });

  it.each([1, 7, 30, 50])("finds words of both, the file's first, in pages of %i", async (limit) => {
    expect(idsOf(await listed("&search=file", limit))).toEqual(FILED);
    expect(idsOf(await listed("&search=made", limit))).toEqual(MADE);
    const zero = [...FILED, ...MADE].filter((id) => id.startsWith("t00"));
    expect(idsOf(await listed("&search=t00", limit))).toEqual(
      zero.toSorted((a, b) => a.slice(5).localeCompare(b.slice(5))),
    );
  });

  it("says of each whether and why it is suspended, and has them alone, or the others", async () => {
    const suspended = [FILED[0], FILED[7], MADE[0], MADE[9]].map(String);
    for (const id of suspended) {
      expect((await site.call("POST", `/tenants/${id}/suspend`, { reason: "unpaid" })).status).toBe(200);
    }
    expect(idsOf((await listed("")).filter((view) => view.suspended === "unpaid"))).toEqual(suspended.toSorted());
    expect(idsOf(await listed("&suspended=true", 3))).toEqual(suspended.toSorted());
    expect(idsOf(await listed("&suspended=true&plan=pro", 1))).toEqual([FILED[0], MADE[0]]);
    expect(idsOf(await listed("&suspended=true&source=file", 1))).toEqual([FILED[0], FILED[7]]);
    expect(idsOf(await listed("&suspended=false"))).toEqual(
      [...FILED, ...MADE].filter((id) => !suspended.includes(id)).toSorted(),
    );
  });

  it("has a tenant that both name once, as the file has it", async () => {
    const both = MADE[3] ?? "";
    const later = await AdminSite.make({ plans: PLANS, tenants: { [both]: { plan: "pro" } } });
    const answer = await later.call("GET", "/tenants?limit=1000");
    const { tenants } = answer.json as unknown as TenantList;
    expect(tenants.filter(({ tenant }) => tenant === both)).toMatchObject([{ source: "file", plan: "pro" }]);
    expect((await later.call("DELETE", `/tenants/${both}`)).status).toBe(409);
  });
});
