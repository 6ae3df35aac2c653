/** Bundles the Worker for workerd with a given config in the place of the bundled one. Nothing is written to disk. */
import { join } from "node:path";
import { build, type BuildOptions } from "esbuild";
import type { Config } from "../src/config/model.ts";

const root = join(import.meta.dirname, "..");

/** As wrangler bundles for workerd. */
export const WORKER_BUNDLE = {
  bundle: true,
  write: false,
  format: "esm",
  target: "es2024",
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["workerd", "worker", "browser", "import"],
  external: ["cloudflare:*"],
  logLevel: "silent",
} satisfies BuildOptions;

/** `text`: of the config file. `entry`: the module that stands for `src/worker.ts`. */
export async function buildWorker(
  config: Config,
  text?: string,
  entry = join(root, "src", "worker.ts"),
): Promise<string> {
  const result = await build({
    ...WORKER_BUNDLE,
    entryPoints: [entry],
    plugins: [
      {
        name: "bundled-config",
        setup(setup) {
          setup.onResolve({ filter: /^#bundled-config$/ }, () => ({ path: "config", namespace: "weir" }));
          setup.onLoad({ filter: /.*/, namespace: "weir" }, () => ({
            contents: `export default ${JSON.stringify(config)}; export const bundledText = ${JSON.stringify(text)};`,
            loader: "js",
          }));
        },
      },
    ],
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error("esbuild made no output");
  return file.text;
}
