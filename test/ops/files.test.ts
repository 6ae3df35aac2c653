/** What stands in ops/ is what `npm run ops` would write, asks only for metrics that there are, and Prometheus takes it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfigFile } from "../../cli/config-file.ts";
import { opsFiles } from "../../scripts/ops/files.ts";
import { ruleTests } from "../../scripts/ops/rule-tests.ts";
import { ruleGroups } from "../../scripts/ops/rules.ts";
import { yaml } from "../../scripts/ops/yaml.ts";
import { VERSION } from "../../src/admin/version.ts";
import { exposedLabels, isMetricName, METRICS } from "../../src/protocol/series.ts";
import { find, run } from "../support/prometheus.ts";
import { asked } from "../support/promql.ts";

const root = join(import.meta.dirname, "..", "..");
const OPS = join(root, "ops");
const PROMTOOL = find("promtool");

const loaded = await loadConfigFile(join(root, "weir.jsonc"), 1);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const watching = loaded.config;
const rules = ruleGroups(watching).flatMap((group) => group.rules);

/** Labels that Prometheus or the rules themselves bring. */
const ADDED = ["job", "le"];
const RECORDED = ["objective", "period"];
const NOT_OURS: Readonly<Record<string, readonly string[]>> = { up: [], ALERTS: ["alertname", "alertstate"] };

/** Names and labels of `expr` that nothing exposes or records. */
function unknownIn(expr: string, recorded: readonly string[] = []): string[] {
  const unknown: string[] = [];
  const labels = new Set(ADDED);
  const { selectors, grouping } = asked(expr);
  for (const { metric, labels: matched } of selectors) {
    const known = recorded.includes(metric) ? RECORDED : (NOT_OURS[metric] ?? labelsOf(metric));
    if (known === undefined) unknown.push(metric);
    for (const label of known ?? []) labels.add(label);
    unknown.push(...matched.filter((label) => known !== undefined && !known.includes(label) && !ADDED.includes(label)));
  }
  return [...unknown, ...grouping.filter((label) => !labels.has(label))];
}

function labelsOf(metric: string): readonly string[] | undefined {
  const family = metric.replace(/_(bucket|sum|count)$/, "");
  const name = isMetricName(family) && METRICS[family].type === "histogram" ? family : metric;
  return isMetricName(name) ? exposedLabels(name) : undefined;
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}
const dashboard = JSON.parse(readFileSync(join(OPS, "grafana", "weir.json"), "utf8")) as Dashboard;

/** As Grafana fills variables in. */
const filled = (expr: string): string =>
  expr
    .replaceAll("$__rate_interval", "1m")
    .replaceAll("$job", "weir")
    .replaceAll(/\$(origin|route)/g, ".*");
const dashboardExprs = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
].map(filled);

it("the release says of itself what package.json says", () => {
  expect(JSON.parse(readFileSync(join(root, "package.json"), "utf8"))).toMatchObject({ version: VERSION });
});

describe("ops/", () => {
  it("is what npm run ops writes", () => {
    for (const [name, text] of Object.entries(opsFiles(watching))) {
      expect([name, readFileSync(join(OPS, name), "utf8")]).toEqual([name, text]);
    }
  });

  it("asks in its rules only for metrics and labels that are exposed, or recorded there", () => {
    const recorded = rules.flatMap((rule) => ("record" in rule ? [rule.record] : []));
    expect(rules.length).toBeGreaterThan(30);
    for (const { expr } of rules) expect([expr, unknownIn(expr, recorded)]).toEqual([expr, []]);
  });

  it("asks in its dashboard only for metrics and labels that are exposed", () => {
    expect(dashboardExprs.length).toBeGreaterThan(30);
    for (const expr of dashboardExprs) expect([expr, unknownIn(expr)]).toEqual([expr, []]);
    const queried = dashboard.templating.list.flatMap(({ definition = "" }) => [
      ...definition.matchAll(/^label_values\((.*), (\w+)\)$/g),
    ]);
    expect(queried).toHaveLength(3);
    for (const [, selector = "", label = ""] of queried) {
      expect(unknownIn(`sum by (${label}) (${filled(selector)})`)).toEqual([]);
    }
  });

  it("would notice a name, a label or a grouping that does not exist", () => {
    expect(unknownIn("rate(weir_wishes_total[5m])")).toEqual(["weir_wishes_total"]);
    expect(unknownIn('sum by (job) (weir_breaker_state{shop="a"})')).toEqual(["shop"]);
    expect(unknownIn("sum by (tenant) (weir_limit_decisions_total)")).toEqual(["tenant"]);
    expect(unknownIn('weir_limit_failed_total{tenant="acme"}')).toEqual(["tenant"]);
    expect(unknownIn("weir_request_duration_seconds_sum / weir_edges_count")).toEqual(["weir_edges_count"]);
  });

  it("has a chapter of the docs for each alert, and an alert for each", () => {
    const docs = readFileSync(join(root, "docs", "monitoring.md"), "utf8");
    const chapters = [...docs.matchAll(/^### (Weir\w+)$/gm)].map(([, name]) => name);
    const alerts = rules.flatMap((rule) => ("alert" in rule ? [rule.alert] : []));
    expect(chapters.toSorted()).toEqual([...new Set(alerts)].toSorted());
  });

  it("has a dashboard whose panels have ids of their own and lie on no other", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ title, gridPos: { x, y, w, h } }) => {
      expect([title, x + w <= 24]).toEqual([title, true]);
      return Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "job", "origin", "route"]);
  });
});

function inFolder(files: Readonly<Record<string, string>>, check: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "weir-ops-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    check(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(PROMTOOL === undefined)("promtool", () => {
  const tool = (...args: readonly string[]) => run(PROMTOOL ?? "", args);
  const committed = (name: string): string => readFileSync(join(OPS, "prometheus", name), "utf8");

  it("finds nothing wrong with the rules, nor with the example of a scrape", () => {
    const files = ["weir-rules.yml", "prometheus.yml"].map((name) => [name, committed(name)] as const);
    inFolder({ ...Object.fromEntries(files), "weir-token": "token" }, (folder) => {
      expect(tool("check", "rules", join(folder, "weir-rules.yml"))).toMatchObject({ code: 0 });
      expect(tool("check", "config", join(folder, "prometheus.yml"))).toMatchObject({ code: 0 });
    });
  });

  it("can parse every expression of the dashboard", () => {
    const recordings = dashboardExprs.map((expr, index) => ({ record: `dashboard:expr${index}`, expr }));
    const text = yaml({ groups: [{ name: "dashboard", rules: recordings }] }, "");
    inFolder({ "rules.yml": text }, (folder) => {
      expect(tool("check", "rules", join(folder, "rules.yml"))).toMatchObject({ code: 0 });
    });
  });

  it("finds that rules do what their tests say; burn rates are what Weir's evaluator makes of the same counts", () => {
    // A Prometheus before 3 takes the very samples that Weir takes: equal to a billionth.
    const tolerance = /version 2\./.test(tool("--version").said) ? 1e-9 : undefined;
    const tests = yaml(ruleTests(watching, tolerance), "");
    inFolder({ "weir-rules.yml": committed("weir-rules.yml"), "exact.test.yml": tests }, (folder) => {
      const { code, said } = tool("test", "rules", join(folder, "exact.test.yml"));
      expect([code, said.slice(0, 3_000)]).toEqual([0, expect.stringContaining("SUCCESS")]);
    });
  }, 60_000);
});
