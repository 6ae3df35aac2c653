/** `npm run build:ui`: makes the dashboard's files and says their size, against its budget. */
import { buildDashboard } from "../local/build-dashboard.ts";

const BUDGET_KIB = 150;

const files = await buildDashboard();
const kib = files.reduce((sum, { gzippedBytes }) => sum + gzippedBytes, 0) / 1_024;
if (kib > BUDGET_KIB || process.argv.includes("--verbose")) {
  for (const { name, gzippedBytes } of files)
    console.log(`${(gzippedBytes / 1_024).toFixed(1).padStart(7)} KiB  ${name}`);
}
const within = kib <= BUDGET_KIB;
console.log(`dashboard: ${kib.toFixed(1)} KiB gzipped, budget ${BUDGET_KIB} KiB${within ? "" : ": OVER BUDGET"}`);
process.exit(within ? 0 : 1);
