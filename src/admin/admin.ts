/**
 * The admin API under `/_weir/`: health without a token, everything else with one. It reads and changes state only
 * through the coordinators; nothing of it is on a request's way.
 */
import { Hono } from "hono";
import type { z } from "zod";
import type { CompiledOrigin, CompiledTenant } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { logError } from "../platform/log.ts";
import type { Edge } from "../edge/edge.ts";
import { tenantCoordinator } from "../protocol/tenant.ts";
import { METRICS_OBJECT } from "../edge/stages/record.ts";
import { AdminAuth } from "./auth.ts";
import { API_BASE, type BreakerView, forceBody, overrideBody, resetBody } from "./contract.ts";
import { applyConfig, endTrial, listConfigs, readConfig, rollbackConfig } from "./configs.ts";
import type { AdminContext, Variables } from "./context.ts";
import { forceBreaker, readBreaker, resetBreaker } from "./breakers.ts";
import { createKey, type KeySite, listKeys, revokeKey, rotateKey } from "./keys.ts";
import { limitsOf, overrideSpec, overrideView } from "./overrides.ts";
import { previewPage } from "./pages.ts";
import { prometheusText } from "./prometheus.ts";
import { COORDINATOR_DEADLINE_MS, notFound, problem, readBody, unknown } from "./reply.ts";
import { isMissing, secretsMissing } from "./secrets.ts";
import { readStatus } from "./status.ts";

export class Admin {
  readonly #app: Hono<{ Bindings: Env; Variables: Variables }>;
  readonly #auth = new AdminAuth();

  constructor(edge: Pick<Edge, "tables" | "now">) {
    this.#app = new Hono<{ Bindings: Env; Variables: Variables }>();
    this.#app.use(async (context, next) => {
      context.set("tables", edge.tables);
      context.set("nowMs", edge.now());
      await next();
      context.header("cache-control", "no-store");
    });
    this.#app.get("/_weir/livez", (context) => context.text("ok\n"));
    this.#app.get("/_weir/readyz", (context) => readiness(context));
    this.#app.use("/_weir/*", async (context, next) => {
      const verdict = await this.#auth.check(
        context.req.header("authorization") ?? null,
        context.env.WEIR_ADMIN_TOKEN,
        context.get("nowMs"),
      );
      if (verdict === "ok") return next();
      return verdict === "locked" ? problem(429, "Too many wrong tokens; wait a minute") : notFound();
    });
    addRoutes(this.#app);
    this.#app.notFound(() => notFound());
    this.#app.onError((error) => {
      logError({ where: "admin", error: String(error) });
      return problem(503, "A coordinator did not answer");
    });
  }

  handle(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response> {
    return this.#app.fetch(request, env, context);
  }
}

/** The path of an absolute URL, as received. */
export function isAdminPath(url: string): boolean {
  const slash = url.indexOf("/", url.indexOf("://") + 3);
  return slash !== -1 && url.startsWith("/_weir/", slash);
}

function addRoutes(app: Hono<{ Bindings: Env; Variables: Variables }>): void {
  app.get("/_weir/metrics", async (context) => {
    const totals = callCoordinator(context.env, "METRICS", METRICS_OBJECT, "totals", { v: 1 });
    const text = prometheusText(await withDeadline(totals, COORDINATOR_DEADLINE_MS));
    return context.body(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  });
  app.get(`${API_BASE}/status`, async (context) => {
    const only = context.req.query("tenant");
    if (only !== undefined && context.get("tables").tenant(only) === undefined) return unknownTenant(context, only);
    return context.json(await readStatus(context.env, context.get("tables"), only));
  });
  const keys = `${API_BASE}/tenants/:tenant/keys`;
  app.get(keys, async (context) => withKeys(context, listKeys));
  app.post(keys, async (context) => withKeys(context, createKey));
  app.delete(`${keys}/:keyId`, async (context) => withKeys(context, revokeKey));
  app.post(`${keys}/:keyId/rotate`, async (context) => withKeys(context, rotateKey));
  app.get(`${API_BASE}/tenants/:tenant/overrides`, async (context) =>
    withTenant(context, (tenant) => listOverrides(context, tenant)),
  );
  app.put(`${API_BASE}/tenants/:tenant/overrides/:limit`, async (context) =>
    withTenant(context, (tenant) => setOverride(context, tenant)),
  );
  app.delete(`${API_BASE}/tenants/:tenant/overrides/:limit`, async (context) =>
    withTenant(context, (tenant) => removeOverride(context, tenant)),
  );
  app.get(`${API_BASE}/configs`, async (context) => listConfigs(context));
  app.post(`${API_BASE}/configs`, async (context) => applyConfig(context));
  app.post(`${API_BASE}/configs/rollback`, async (context) => rollbackConfig(context));
  app.post(`${API_BASE}/configs/trial/end`, async (context) => endTrial(context));
  app.get(`${API_BASE}/configs/:number`, async (context) => readConfig(context));
  app.get(`${API_BASE}/pages/:route/preview`, async (context) => {
    const site = { ...context.var, env: context.env };
    const shown = await previewPage(site, context.req.param("route"), context.req.query());
    return shown instanceof Response ? shown : context.json(shown);
  });
  app.get(`${API_BASE}/breakers/:origin`, async (context) =>
    withOrigin(context, async (origin) => context.json(await readBreaker(context.env, origin))),
  );
  app.post(`${API_BASE}/breakers/:origin/trip`, async (context) =>
    withOrigin(context, (origin) => changeBreaker(context, origin, forceBody, forceBreaker)),
  );
  app.post(`${API_BASE}/breakers/:origin/reset`, async (context) =>
    withOrigin(context, (origin) => changeBreaker(context, origin, resetBody, resetBreaker)),
  );
}

function readiness(context: AdminContext): Response {
  const missing = (["WEIR_KEY_SECRET", "WEIR_ADMIN_TOKEN"] as const).filter((name) => isMissing(context.env, name));
  return missing.length === 0 ? context.text("ok\n") : secretsMissing(missing);
}

async function withTenant(
  context: AdminContext,
  act: (tenant: CompiledTenant) => Promise<Response>,
): Promise<Response> {
  const id = context.req.param("tenant") ?? "";
  const tenant = context.get("tables").tenant(id);
  return tenant === undefined ? unknownTenant(context, id) : act(tenant);
}

async function withKeys(context: AdminContext, act: (site: KeySite) => Promise<Response>): Promise<Response> {
  return withTenant(context, (tenant) =>
    act({ ...context.var, env: context.env, req: context.req, tenant, keyId: context.req.param("keyId") ?? "" }),
  );
}

function unknownTenant(context: AdminContext, id: string): Response {
  return unknown(
    "tenant",
    id,
    context.get("tables").config.tenants.map((tenant) => tenant.id),
  );
}

async function withOrigin(
  context: AdminContext,
  act: (origin: CompiledOrigin) => Promise<Response>,
): Promise<Response> {
  const { tables } = context.var;
  const id = context.req.param("origin") ?? "";
  const origin = tables.origin(id);
  return origin === undefined
    ? unknown(
        "origin",
        id,
        tables.origins.map((known) => known.id),
      )
    : act(origin);
}

async function listOverrides(context: AdminContext, tenant: CompiledTenant): Promise<Response> {
  const call = callCoordinator(context.env, "TENANT", tenantCoordinator(tenant.id), "listOverrides", { v: 1 });
  const { overrides } = await withDeadline(call, COORDINATOR_DEADLINE_MS);
  return context.json({ overrides: overrides.map((override) => overrideView(tenant.id, override)) });
}

async function setOverride(context: AdminContext, tenant: CompiledTenant): Promise<Response> {
  const limitId = context.req.param("limit") ?? "";
  const limits = limitsOf(context.get("tables"), tenant);
  const limit = limits.get(limitId);
  if (limit === undefined) return unknown(`limit of "${tenant.id}"`, limitId, [...limits.keys()]);
  const body = await readBody(context, overrideBody);
  if (body instanceof Response) return body;
  const spec = overrideSpec(limit, body);
  if ("problem" in spec) return problem(400, spec.problem);
  const request = { v: 1 as const, limitId, spec, forMs: body.forMs, reason: body.reason };
  const call = callCoordinator(context.env, "TENANT", tenantCoordinator(tenant.id), "setOverride", request);
  return context.json(overrideView(tenant.id, await withDeadline(call, COORDINATOR_DEADLINE_MS)));
}

async function removeOverride(context: AdminContext, tenant: CompiledTenant): Promise<Response> {
  const limitId = context.req.param("limit") ?? "";
  const call = callCoordinator(context.env, "TENANT", tenantCoordinator(tenant.id), "removeOverride", {
    v: 1,
    limitId,
  });
  const removed = await withDeadline(call, COORDINATOR_DEADLINE_MS);
  if (!removed) return problem(404, `Tenant "${tenant.id}" has no override of "${limitId.slice(0, 64)}"`);
  return context.json({ tenant: tenant.id, limit: limitId });
}

async function changeBreaker<Schema extends z.ZodType>(
  context: AdminContext,
  origin: CompiledOrigin,
  schema: Schema,
  change: (env: Env, origin: CompiledOrigin, configVersion: number, body: z.infer<Schema>) => Promise<BreakerView>,
): Promise<Response> {
  const body = await readBody(context, schema);
  if (body instanceof Response) return body;
  return context.json(await change(context.env, origin, context.get("tables").configVersion, body));
}
