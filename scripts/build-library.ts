/**
 * `npm run build:library`: what a package of Weir contains, into dist/: the library (JavaScript and types, module by module,
 * so that a bundler leaves out what is not used) and the command line. `npm pack` runs it.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

rmSync(dist, { recursive: true, force: true });
for (const project of ["tsconfig.library.json", "tsconfig.cli.json"]) {
  execFileSync(process.execPath, [tsc, "-p", join(root, project)], { stdio: "inherit" });
}
// The compiler changes the names of imported files in JavaScript, but not in types.
for (const path of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
  if (!path.endsWith(".d.ts")) continue;
  const file = join(dist, path);
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(/(["'])(\.{1,2}\/[^"']+)\.ts\1/g, "$1$2.js$1"));
}
chmodSync(join(dist, "cli", "weir.js"), 0o755);
