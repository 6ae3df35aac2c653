/**
 * `npm run deploy:check`: `wrangler deploy --dry-run` for every environment of wrangler.toml, and the Worker's size
 * against its budget. Needs no account and no network.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET_KIB = 235;
const environments = ["", "staging"];
const wrangler = join(import.meta.dirname, "..", "node_modules", "wrangler", "bin", "wrangler.js");

let failed = false;
for (const environment of environments) {
  const outdir = mkdtempSync(join(tmpdir(), "weir-deploy-"));
  try {
    execFileSync(
      process.execPath,
      [wrangler, "deploy", "--dry-run", "--minify", "--outdir", outdir, "--env", environment],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" } },
    );
    const sizeKib = gzipSync(readFileSync(join(outdir, "worker.js")), { level: 9 }).length / 1024;
    const within = sizeKib <= BUDGET_KIB;
    failed ||= !within;
    console.log(
      `${environment === "" ? "production" : environment}: ${sizeKib.toFixed(1)} KiB gzipped, budget ${BUDGET_KIB} KiB${within ? "" : ": OVER BUDGET"}`,
    );
  } catch (error) {
    failed = true;
    const output = error as { stdout?: Buffer; stderr?: Buffer };
    console.error(
      `dry run failed for "${environment || "production"}":\n${String(output.stdout ?? "")}${String(output.stderr ?? error)}`,
    );
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
process.exit(failed ? 1 : 0);
