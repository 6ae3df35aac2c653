/**
 * `npm run ops [-- --config FILE] [--out FOLDER] [--check]`: writes what Prometheus and Grafana need, made of the table of
 * metrics and of a config's objectives and alerts; or checks that it is current. Default: weir.jsonc, into ops/.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { loadConfigFile } from "../cli/config-file.ts";
import { opsFiles } from "./ops/files.ts";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: { config: { type: "string" }, out: { type: "string" }, check: { type: "boolean", default: false } },
});

const loaded = await loadConfigFile(values.config ?? join(root, "weir.jsonc"), 1);
if (!loaded.ok) {
  for (const { path, message } of loaded.problems) console.error(`${path}: ${message}`);
  process.exit(1);
}
for (const [name, text] of Object.entries(opsFiles(loaded.config))) {
  const path = join(values.out ?? join(root, "ops"), name);
  if (!values.check) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
    console.error(`${name} is not current: run \`npm run ops\``);
    process.exitCode = 1;
  }
}
