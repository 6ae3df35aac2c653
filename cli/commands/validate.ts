/** `weir validate [--config FILE]`: every problem of a config file, offline. */
import { defineCommand } from "citty";
import { formatProblem } from "../../src/config/load.ts";
import { loadConfigFile } from "../config-file.ts";
import { EXIT, printJson } from "../output.ts";

export const validateCommand = defineCommand({
  meta: { name: "validate", description: "Check a config file and its pages" },
  args: {
    config: { type: "string", description: "The file", default: "weir.jsonc" },
    json: { type: "boolean", description: "Print JSON", default: false },
  },
  async run({ args }) {
    const result = await loadConfigFile(args.config, 0);
    const problems = result.ok ? [] : result.problems;
    const warnings = result.ok ? result.warnings : [];
    if (args.json) printJson({ valid: result.ok, problems, warnings });
    else {
      for (const problem of problems) process.stdout.write(`${formatProblem(args.config, problem)}\n`);
      for (const warning of warnings) process.stdout.write(`warning: ${formatProblem(args.config, warning)}\n`);
      if (result.ok) {
        const { tenants, routes, origins } = result.config;
        process.stdout.write(
          `${args.config} is valid: ${origins.length} origin(s), ${tenants.length} tenant(s), ${routes.length} route(s)\n`,
        );
      } else console.error(`${problems.length} problem(s)`);
    }
    return result.ok ? EXIT.ok : EXIT.error;
  },
});
