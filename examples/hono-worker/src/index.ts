import { Hono } from "hono";
import {
  breaker,
  type BreakerBindings,
  type BreakerVariables,
  limits,
  type LimitsBindings,
  type LimitsVariables,
  type NamedTenant,
} from "weir/hono";
import { config } from "./config.ts";

// The Durable Objects live in this Worker.
export { Metrics, Origin, Tenant } from "weir/objects";

type Bindings = LimitsBindings & BreakerBindings;
type Variables = LimitsVariables & BreakerVariables;

const app = new Hono<{ Bindings: Bindings; Variables: Variables }>();

app.get("/", (c) => c.text("Not limited.\n"));

app.use(
  "/api/*",
  limits<Bindings>({
    config,
    tenant: (c) => tenantOf(c.req.header("authorization")),
    cost: (c) => (c.req.path === "/api/report" ? 5 : 1),
  }),
);
app.get("/api/hello", ({ json, var: { weir } }) => json({ hello: weir.tenant, remaining: weir.remaining }));
app.get("/api/report", ({ json, var: { weir } }) => json({ decidedBy: weir.decidedBy, limits: weir.limits }));

app.use("/api/shop/*", breaker({ config, origin: "shop" }));
app.get("/api/shop/items/:id", ({ req, var: { weir } }) => weir.fetch(`/items/${req.param("id")}`));

/**
 * Your own authentication stands here: a session, a JWT, a database. What it says is trusted, so it must have been checked.
 * This one is a stand-in: tokens that everybody may read.
 */
function tenantOf(authorization: string | undefined): NamedTenant {
  if (authorization === "Bearer demo-acme") return "acme";
  const visitor = /^Bearer demo-(visitor\d?)$/.exec(authorization ?? "")?.[1];
  if (visitor !== undefined) return { id: visitor, plan: "free" };
  return { id: "nobody" };
}

export default app;
