/** Everything under ops/, by its path there. */
import { dashboard } from "./dashboard.ts";
import { JOB, ruleGroups, type Watching } from "./rules.ts";
import { ruleTests } from "./rule-tests.ts";
import { type Plain, yaml } from "./yaml.ts";

const MADE = "Made by `npm run ops` of the table of metrics and of weir.jsonc: change those.";

export function opsFiles(watching: Watching): Readonly<Record<string, string>> {
  return {
    "prometheus/weir-rules.yml": yaml(
      { groups: ruleGroups(watching).map(({ name, rules }) => ({ name, rules: rules.map((rule) => ({ ...rule })) })) },
      MADE,
    ),
    "prometheus/weir-rules.test.yml": yaml(
      ruleTests(watching),
      `${MADE}\nRun with: promtool test rules weir-rules.test.yml`,
    ),
    "prometheus/prometheus.yml": yaml(
      scrapeConfig(),
      `${MADE}\nAn example: the host is yours, and so is the token (role \`reader\`, docs/monitoring.md).`,
    ),
    "grafana/weir.json": `${JSON.stringify(dashboard(), null, 2)}\n`,
  };
}

const EXAMPLE = { interval: "15s", scheme: "https", target: "weir.example.com:443" };

/** One address of the gateway, whichever: every isolate answers with the totals of all. */
export function scrapeConfig({ interval, scheme, target } = EXAMPLE): Plain {
  return {
    global: { scrape_interval: interval, evaluation_interval: interval },
    rule_files: ["weir-rules.yml"],
    scrape_configs: [
      {
        job_name: JOB,
        scheme,
        metrics_path: "/_weir/metrics",
        authorization: { type: "Bearer", credentials_file: "weir-token" },
        static_configs: [{ targets: [target] }],
      },
    ],
  };
}
