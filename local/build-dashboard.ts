/**
 * Makes the dashboard's files: one script and one style sheet, named by what is in them, and the page that names them. As
 * static assets they are no part of the Worker. esbuild, because the Worker is bundled by it already and there is nothing
 * here that would take more: a build lasts a tenth of a second.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
export const DASHBOARD_FOLDER = join(root, "build", "assets");

export interface DashboardFile {
  readonly name: string;
  readonly gzippedBytes: number;
}

/** Old files go once the new ones are there, so that a gateway that reads them meanwhile finds some. */
export async function buildDashboard(folder = DASHBOARD_FOLDER): Promise<readonly DashboardFile[]> {
  const { outputFiles } = await build({
    entryPoints: { dashboard: join(root, "ui", "main.tsx") },
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome109", "firefox115", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    outdir: join(folder, "assets"),
    entryNames: "[name]-[hash]",
    legalComments: "none",
    logLevel: "silent",
  });
  const assets = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
  const named = (extension: string): string => assets.find(({ name }) => name.endsWith(extension))?.name ?? "";
  const page = readFileSync(join(root, "ui", "index.html"), "utf8")
    .replace("dashboard.js", named(".js"))
    .replace("dashboard.css", named(".css"));
  mkdirSync(join(folder, "assets"), { recursive: true });
  for (const { name, contents } of assets) writeFileSync(join(folder, "assets", name), contents);
  writeFileSync(join(folder, "index.html"), page);
  for (const name of readdirSync(join(folder, "assets"))) {
    if (!assets.some((asset) => asset.name === name)) rmSync(join(folder, "assets", name));
  }
  return [{ name: "index.html", contents: page }, ...assets].map(({ name, contents }) => ({
    name,
    gzippedBytes: gzipSync(contents, { level: 9 }).length,
  }));
}
