/**
 * `npm run build:config`: checks weir.jsonc (or the file WEIR_CONFIG names) and writes it, normalised and with its pages,
 * to build/bundled-config.js, which the Worker imports. wrangler runs it before every build.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfigFile, newConfigVersion } from "../cli/config-file.ts";
import { formatProblem } from "../src/config/load.ts";

const root = join(import.meta.dirname, "..");
const path = process.env["WEIR_CONFIG"] ?? join(root, "weir.jsonc");
const result = await loadConfigFile(path, newConfigVersion());
if (result.ok) {
  for (const warning of result.warnings) console.error(`warning: ${formatProblem(path, warning)}`);
  for (const { id, url } of result.config.origins) {
    const { hostname } = new URL(url);
    if (hostname === "127.0.0.1" || hostname === "localhost" || hostname === "[::1]") {
      console.error(`warning: origin "${id}" is on this machine (${url}): a deployed Worker cannot reach it`);
    }
  }
  await mkdir(join(root, "build"), { recursive: true });
  await writeFile(
    join(root, "build", "bundled-config.js"),
    `export default ${JSON.stringify(result.config)};\nexport const bundledText = ${JSON.stringify(result.text)};\n`,
  );
} else {
  for (const problem of result.problems) console.error(formatProblem(path, problem));
  process.exitCode = 1;
}
