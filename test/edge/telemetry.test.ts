/** What a gateway counts, and whom it tells of its config. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OriginViews } from "../../src/edge/origin-views.ts";
import { Gateway, origin, withKey } from "./gateway.ts";

const ROUTES = {
  routes: [
    {
      id: "dear",
      match: { path: "/dear" },
      origin: "app",
      cost: 2,
      limits: { shadowed: { rate: "1/h", burst: 2, mode: "shadow", deadline: "5s" } },
    },
    { id: "all", match: { path: "/*" }, origin: "app" },
  ],
};

describe("a gateway", () => {
  beforeEach(() => {
    origin(() => new Response("fine"));
    // What is reported of the origin waits for its time, and the end of a test would wait for it.
    vi.spyOn(OriginViews.prototype, "noteSuccess").mockReturnValue();
  });
  afterEach(async () => {
    await Gateway.allSettled();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    await reset();
  });

  it("counts a request by route, origin and outcome, and by tenant what was asked, admitted or not, in tokens", async () => {
    const gateway = await Gateway.of({
      ...ROUTES,
      plans: { open: { limits: { requests: { rate: "1/h", burst: 7, deadline: "5s" } } } },
    });
    const caller = await withKey("192.0.2.1");
    await gateway.statuses(3, caller, "/dear");
    await gateway.statuses(3, caller, "/");
    const totals = await gateway.totals();
    expect(totals).toMatchObject({
      'weir_requests_total{origin="app",route="dear",outcome="origin"}': 3,
      'weir_requests_total{origin="app",route="all",outcome="origin"}': 1,
      'weir_requests_total{origin="app",route="all",outcome="throttled"}': 2,
      'weir_request_duration_seconds_count{origin="app",route="all"}': 3,
      'weir_tenant_decisions_total{tenant="acme",decision="admitted"}': 4,
      'weir_tenant_decisions_total{tenant="acme",decision="throttled"}': 2,
      'weir_tenant_decisions_total{tenant="acme",decision="shadowed"}': 2,
    });
    const { tenants } = gateway.metrics();
    expect(tenants[0]).toMatchObject({ tenant: "acme", tokens: 9 });
  });

  it("tells the Monitor of its config when it is asked, and counts it where that fails", async () => {
    const gateway = await Gateway.of(ROUTES);
    gateway.wantsSettings = true;
    const told: unknown[] = [];
    gateway.answerInstead("MONITOR", async (method, _real, argument) => {
      told.push([method, argument]);
      throw new Error("out of reach");
    });
    await gateway.send(await withKey("192.0.2.1"));
    await gateway.settled();
    expect(told).toEqual([
      [
        "configure",
        {
          v: 1,
          settings: expect.objectContaining({
            configVersion: 1,
            origins: ["app"],
            routes: [
              { id: "dear", origin: "app" },
              { id: "all", origin: "app" },
            ],
          }),
        },
      ],
    ]);
    await gateway.send(await withKey("192.0.2.1"));
    expect(await gateway.totals()).toMatchObject({ weir_monitor_settings_failures_total: 1 });
  });

  it("keeps what it counted while the Metrics object is out of reach, and sends it then", async () => {
    const gateway = await Gateway.of(ROUTES);
    gateway.breakMetrics = true;
    await gateway.send(await withKey("192.0.2.1"));
    expect(gateway.metrics().routes).toEqual([]);
    await gateway.settled();
    gateway.breakMetrics = false;
    await gateway.send(await withKey("192.0.2.1"));
    expect(await gateway.totals()).toMatchObject({
      'weir_requests_total{origin="app",route="all",outcome="origin"}': 2,
      weir_metrics_flush_failures_total: 1,
    });
  });
});
