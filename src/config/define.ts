/** A config written in code, for Workers that use Weir as a library. */
import { findProblems, loadConfig, type Problem } from "./load.ts";
import type { Config } from "./model.ts";
import { type ConfigFile, librarySchema } from "./schema.ts";

export type { Config } from "./model.ts";

/** `weir.jsonc` as an object; what is not used may be left out. */
export type LibraryConfig = Pick<ConfigFile, "version"> & Partial<ConfigFile>;

/** A config, or what makes one on the first request. Middlewares that are given the same one share the isolate's state. */
export type ConfigSource = Config | (() => Promise<Config>);

export interface DefineOptions {
  /** Raise it with every change: coordinators keep to the limits of the highest they heard of. */
  readonly configVersion: number;
}

/** Says every problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Throws ConfigError at once, so that a wrong config fails when the Worker is deployed and not on its first request.
 * Pages of your own need files: for these let `weir build` make a module of your weir.jsonc.
 */
export function defineConfig(config: LibraryConfig, { configVersion }: DefineOptions): () => Promise<Config> {
  if (!Number.isSafeInteger(configVersion) || configVersion < 1) {
    throw new ConfigError(`configVersion must be a whole number from 1, not ${configVersion}`);
  }
  const text = JSON.stringify({ origins: {}, identity: [], plans: {}, routes: [], ...config });
  const problems = findProblems(text, librarySchema);
  if (problems !== undefined) throw problemsError(problems);
  return async () => {
    const result = await loadConfig(text, { readPage, configVersion, schema: librarySchema });
    if (!result.ok) throw problemsError(result.problems);
    return result.config;
  };
}

const readPage = async (): Promise<undefined> => undefined;

const problemsError = (problems: readonly Problem[]): ConfigError =>
  new ConfigError(problems.map(({ path, message }) => `${path === "" ? "config" : path}: ${message}`).join("\n"));
