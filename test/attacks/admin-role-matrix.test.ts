/** Attack: a token does what its role, or its tenants, do not allow. Every route of the OpenAPI document × every caller. */
import { reset } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Role } from "../../src/protocol/admin-records.ts";
import { AdminSite, filled, type Listed } from "../edge/admin-site.ts";

/** Written by hand, apart from the table in the code: a route that is not here fails the first test. */
const LEAST_ROLE: Readonly<Record<string, Role>> = {
  openSession: "reader",
  readSession: "reader",
  endSession: "reader",
  readStatus: "reader",
  readMetrics: "reader",
  listTenants: "reader",
  readTenant: "reader",
  putTenant: "admin",
  importTenants: "admin",
  removeTenant: "admin",
  suspendTenant: "operator",
  resumeTenant: "operator",
  readBreaker: "reader",
  tripBreaker: "operator",
  resetBreaker: "operator",
  listMaintenance: "reader",
  setMaintenance: "operator",
  endMaintenance: "operator",
  makePurge: "operator",
  listPurges: "reader",
  listLimits: "reader",
  listOverrides: "reader",
  setOverride: "operator",
  removeOverride: "operator",
  listKeys: "reader",
  createKey: "admin",
  rotateKey: "admin",
  revokeKey: "admin",
  listConfigs: "reader",
  readConfig: "reader",
  applyConfig: "admin",
  rollbackConfig: "admin",
  endTrial: "admin",
  listPages: "reader",
  showPage: "reader",
  previewPage: "reader",
  listTokens: "admin",
  createToken: "admin",
  revokeToken: "admin",
  readAudit: "reader",
  readSeries: "reader",
  watchLive: "reader",
  readDemand: "reader",
  readObjectives: "reader",
  listAlerts: "reader",
  makeSilence: "operator",
  endSilence: "operator",
  redeliver: "operator",
  beginBackup: "admin",
  readBackup: "admin",
  beginRestore: "admin",
  restoreLines: "admin",
  endRestore: "admin",
  explainRequest: "reader",
  tailDecisions: "reader",
};
/** Their paths name no tenant: they keep to the tenants of whoever asks by themselves, and are tested for it elsewhere. */
const KEEPS_TO_OWN: readonly string[] = ["openSession", "readSession", "endSession", "explainRequest", "tailDecisions"];
/** They change nothing; a body may hold a credential. */
const NOT_AUDITED: readonly string[] = ["openSession", "endSession", "explainRequest"];
const ROLES: readonly Role[] = ["reader", "operator", "admin"];

describe("a token whose role does not allow it", () => {
  let site: AdminSite;
  let operations: readonly Listed[];
  const tokens = new Map<string, string>();
  beforeAll(async () => {
    site = await AdminSite.make();
    operations = await site.operations();
    for (const role of ROLES) {
      tokens.set(role, (await site.makeToken({ role })).token);
      tokens.set(`${role} of acme`, (await site.makeToken({ role, tenants: ["acme"] })).token);
    }
  });
  afterAll(() => reset());

  /** Each call is one that cannot be refused for another reason with 403. Every caller has a bucket of its own. */
  async function refused({ method, path }: Listed, token: string, tenant = "acme"): Promise<boolean> {
    const answer = await site.ask(filled(path, tenant), {
      method,
      token,
      ...(method === "GET" ? {} : { body: {} }),
    });
    if (answer.status === 403) expect(answer.json["type"]).toMatch(/:(role-missing|outside-scope)$/);
    else expect([200, 201, 400, 404, 409, 426, 428]).toContain(answer.status);
    return answer.status === 403;
  }

  it("has a rule for every route that there is", () => {
    expect(operations.length).toBeGreaterThan(25);
    for (const { id, method, operation } of operations) {
      expect(LEAST_ROLE, `${id} needs a line here`).toHaveProperty(id);
      expect(operation["x-weir-role"]).toBe(LEAST_ROLE[id]);
      expect(operation["x-weir-audited"], id).toBe(method !== "GET" && !NOT_AUDITED.includes(id));
    }
  });

  it.each(ROLES)("is refused: %s", async (role) => {
    for (const operation of operations) {
      const may = ROLES.indexOf(role) >= ROLES.indexOf(LEAST_ROLE[operation.id] ?? "admin");
      expect(await refused(operation, tokens.get(role) ?? ""), `${role} ${operation.id}`).toBe(!may);
    }
  });

  it.each(ROLES)("is refused outside its tenants, whether the other tenant exists or not: %s of acme", async (role) => {
    const token = tokens.get(`${role} of acme`) ?? "";
    for (const operation of operations) {
      const may = ROLES.indexOf(role) >= ROLES.indexOf(LEAST_ROLE[operation.id] ?? "admin");
      const ofTenant = operation.path.includes("{tenant}");
      expect(await refused(operation, token), `${role} ${operation.id}`).toBe(
        !(may && (ofTenant || KEEPS_TO_OWN.includes(operation.id))),
      );
      if (!ofTenant) continue;
      const ask = (tenant: string) =>
        site.ask(filled(operation.path, tenant), {
          method: operation.method,
          token,
          ...(operation.method === "GET" ? {} : { body: {} }),
        });
      const [other, none] = [await ask("globex"), await ask("nobody")];
      expect([other.status, none.status], operation.id).toEqual([403, 403]);
      expect(other.text).toBe(none.text);
    }
  });

  it("finds nothing without a token, and nothing with one of another deployment", async () => {
    for (const operation of operations) {
      for (const token of [null, `weiradm_${"0".repeat(16)}_${"A".repeat(22)}`]) {
        const { method } = operation;
        const answer = await site.ask(filled(operation.path), {
          method,
          token,
          from: `192.0.2.${operations.indexOf(operation)}`,
        });
        expect([answer.status, answer.json["type"]]).toEqual([404, "urn:weir:problem:no-route"]);
      }
    }
  });
});
