/** `weir build`: a config file, checked, with its pages made whole, as a module that a Worker imports. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { defineCommand } from "citty";
import { formatProblem, type Problem } from "../../src/config/load.ts";
import { loadConfigFile, newConfigVersion } from "../config-file.ts";
import { EXIT, printJson } from "../output.ts";
import { isLocalUrl } from "../local-url.ts";

export const buildCommand = defineCommand({
  meta: { name: "build", description: "Put a config and its pages into a module for the Worker" },
  args: {
    config: { type: "string", description: "The file", default: process.env["WEIR_CONFIG"] ?? "weir.jsonc" },
    out: { type: "string", description: "The module", default: join("build", "bundled-config.js") },
    types: {
      type: "boolean",
      description: "Write its types beside it, for a Worker that has Weir as a library",
      default: false,
    },
    json: { type: "boolean", description: "Print JSON", default: false },
  },
  async run({ args }) {
    const { config, out } = args;
    const result = await loadConfigFile(config, newConfigVersion());
    const say = (prefix: string, problems: readonly Problem[]): void => {
      for (const problem of problems) console.error(`${prefix}${formatProblem(config, problem)}`);
    };
    if (!result.ok) {
      if (args.json) printJson({ built: false, problems: result.problems });
      else say("", result.problems);
      return EXIT.error;
    }
    say("warning: ", result.warnings);
    for (const { id, url } of result.config.origins) {
      if (!isLocalUrl(url)) continue;
      console.error(`warning: origin "${id}" is on this machine (${url}): a deployed Worker cannot reach it`);
    }
    await mkdir(dirname(out), { recursive: true });
    const text = `export default ${JSON.stringify(result.config)};\nexport const bundledText = ${JSON.stringify(result.text)};\n`;
    await writeFile(out, text);
    if (args.types) await writeFile(out.replace(/\.js$/, ".d.ts"), TYPES);
    const { configVersion, hash } = result.config;
    if (args.json) printJson({ built: true, out, configVersion, hash, warnings: result.warnings });
    return EXIT.ok;
  },
});

const TYPES = `import type { Config } from "weir/config";
declare const config: Config;
export default config;
export declare const bundledText: string | undefined;
`;
