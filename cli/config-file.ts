/** Reads a config file and the pages beside it. Node only. */
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { type LoadResult, loadConfig } from "../src/config/load.ts";
import { preparePage } from "../src/config/pages/prepare.ts";

/** Rejects with a clear message when the file cannot be read; problems inside it are in the result. */
export async function loadConfigFile(path: string, configVersion: number): Promise<LoadResult> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new Error(`cannot read the config file ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const folder = dirname(resolve(path));
  return loadConfig(text, {
    configVersion,
    readPage: async (page) => (await readInside(folder, page))?.toString("utf8"),
    readAsset: (asset) => readInside(folder, asset),
    preparePage,
  });
}

/** Only files below the config file's folder. */
async function readInside(folder: string, name: string): Promise<Buffer | undefined> {
  const path = resolve(folder, name);
  const inside = relative(folder, path);
  if (inside.startsWith("..") || isAbsolute(inside)) return undefined;
  return readFile(path).catch(() => undefined);
}

/** Grows with every build: the time, or SOURCE_DATE_EPOCH where a build must be reproducible. */
export function newConfigVersion(): number {
  const epoch = Number(process.env["SOURCE_DATE_EPOCH"]);
  return Number.isSafeInteger(epoch) && epoch > 0 ? epoch * 1_000 : Date.now();
}
