/** The real binary, about a gateway under test: what it knows of it lies in `state` in the test's folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SECRETS } from "./gateway.ts";
import { type Finished, run } from "./process.ts";

export const stateOf = (folder: string): string => join(folder, "state");

/** As `npm start` does, once the gateway answers at `url`. */
export function noteGateway(folder: string, url: string | undefined): void {
  mkdirSync(stateOf(folder), { recursive: true });
  const record = { url, token: SECRETS.WEIR_ADMIN_TOKEN, pid: 0 };
  writeFileSync(join(stateOf(folder), "gateway.json"), JSON.stringify(record));
}

export const commandLine =
  (folder: string) =>
  (...args: string[]): Promise<Finished> =>
    run("cli/weir.ts", [...args, "--state", stateOf(folder)]);

export const json = ({ stdout }: Finished): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;
