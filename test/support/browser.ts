/**
 * A real headless Chromium: the one from npm (with the libraries and fonts it needs, unpacked beside it), or what WEIR_CHROMIUM
 * names. Nothing is downloaded, and nothing is left behind.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { temporaryFolder } from "./gateway.ts";

/** The one from npm is for this platform alone. */
export const hasBrowser =
  process.env["WEIR_CHROMIUM"] !== undefined || (process.platform === "linux" && process.arch === "x64");

export interface RunningBrowser {
  readonly browser: Browser;
  stop(): Promise<void>;
}

export async function startBrowser(): Promise<RunningBrowser> {
  const folder = temporaryFolder();
  const options = process.env["WEIR_CHROMIUM"] === undefined ? await unpack(folder.path) : {};
  const browser = await chromium.launch({
    executablePath: process.env["WEIR_CHROMIUM"] ?? "",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    ...options,
  });
  return {
    browser,
    stop: async () => {
      await browser.close();
      folder.remove();
    },
  };
}

/** For a bare container: all in one process, which ends with the first page; and no rule between sites, which tests rely on. */
const UNWANTED = ["--single-process", "--no-zygote", "--disable-web-security", "--allow-running-insecure-content"];

/** It unpacks itself into TMPDIR, with its libraries only where it believes to be in a bare container. */
async function unpack(
  folder: string,
): Promise<{ executablePath: string; args: string[]; env: Record<string, string> }> {
  const before = { ...process.env };
  Object.assign(process.env, {
    TMPDIR: folder,
    FONTCONFIG_PATH: join(folder, "fonts"),
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs22.x",
  });
  try {
    const { default: packed } = await import("@sparticuz/chromium");
    packed.setGraphicsMode = false;
    const executablePath = await packed.executablePath();
    // What it brings looks for its fonts in fixed places; a browser without fonts shows nothing that could be judged.
    const fonts = join(folder, "fonts");
    const directories = `<dir>${fonts}</dir><cachedir>${join(folder, "fonts-cache")}</cachedir>`;
    writeFileSync(join(fonts, "fonts.conf"), `<?xml version="1.0"?><fontconfig>${directories}</fontconfig>`);
    const env = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    const args = packed.args.filter((arg) => !UNWANTED.includes(arg));
    return { executablePath, args, env: Object.fromEntries(env) as Record<string, string> };
  } finally {
    for (const name of ["TMPDIR", "AWS_EXECUTION_ENV", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "HOME"]) {
      const value = before[name];
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}
