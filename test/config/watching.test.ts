/** Objectives and receivers of alerts: what is refused, and what is made of what is not said. */
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";

async function load(change: Readonly<Record<string, unknown>>) {
  const file = {
    version: 1,
    origins: { app: { url: "https://app.example" } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: {} },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
    ...change,
  };
  return loadConfig(JSON.stringify(file), { configVersion: 1, readPage: async () => undefined });
}
async function problemsOf(change: Readonly<Record<string, unknown>>): Promise<string[]> {
  const result = await load(change);
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}
const hook = { type: "webhook", url: "https://ops.example/hook", signingSecret: "WEIR_HOOK" };

describe("objectives", () => {
  it.each([
    [{ target: 0.99 }, 'objectives.o: must have "origin" or "route", not both'],
    [{ origin: "app", route: "all", target: 0.99 }, 'objectives.o: must have "origin" or "route", not both'],
    [{ route: "al", target: 0.99 }, 'objectives.o.route: unknown route "al"'],
    [{ origin: "app", target: 0.99, kind: "latency" }, 'objectives.o: kind "latency" needs "within"'],
    [{ origin: "app", target: 0.99, within: "1s" }, 'objectives.o.within: is for kind "latency" only'],
  ])("refuse %j", async (o, problem) => {
    const problems = await problemsOf({ objectives: { o } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it.each([1, 0.49, 0.999_999])("have a target below 1, and one that can be counted: not %d", async (target) => {
    expect(await problemsOf({ objectives: { o: { origin: "app", target } } })).toHaveLength(1);
  });
});

describe("receivers of alerts", () => {
  it.each([
    [{ ...hook, signingSecret: "WEIR_KEY_SECRET" }, "signingSecret"],
    [{ type: "slack", urlSecret: "WEIR_PROXY_SECRET" }, "urlSecret"],
    [{ type: "pagerduty", routingKeySecret: "WEIR_ADMIN_TOKEN" }, "routingKeySecret"],
  ])("get no secret of Weir's own: %j", async (receiver, key) => {
    const [problem, ...others] = await problemsOf({ alerts: { receivers: { thief: receiver } } });
    expect(problem).toContain(`alerts.receivers.thief.${key}: is a secret of Weir's own`);
    expect(others).toEqual([]);
  });

  it("are told of tickets, PagerDuty of pages, every four hours, after a second", async () => {
    const pagerduty = { type: "pagerduty", routingKeySecret: "WEIR_PD" };
    const result = await load({ alerts: { receivers: { hook, pagerduty } } });
    expect(result.ok ? result.config.alerts : undefined).toMatchObject({
      receivers: [
        { id: "hook", secretName: "WEIR_HOOK", severity: "ticket" },
        { id: "pagerduty", url: "https://events.pagerduty.com/v2/enqueue", severity: "page" },
      ],
      repeatMs: 14_400_000,
      groupWaitMs: 1_000,
    });
  });
});
