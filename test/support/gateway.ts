/** A gateway for one test: free ports, its own state folder, known secrets. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfigFile, newConfigVersion } from "../../cli/config-file.ts";
import { type Gateway, type GatewayOptions, startGateway } from "../../local/gateway.ts";
import { freePorts } from "../../local/ports.ts";
import type { Config } from "../../src/config/model.ts";
import { mintApiKey } from "../../src/platform/api-key.ts";

export const SECRETS = {
  WEIR_KEY_SECRET: "scenario-key-secret-0123456789abcdef",
  WEIR_ADMIN_TOKEN: "scenario-admin-token-0123456789abcdef",
} as const;
export const ADMIN = { authorization: `Bearer ${SECRETS.WEIR_ADMIN_TOKEN}` } as const;

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "weir-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Loads a config object through the real loader, from a file in `folder`. */
export async function configOf(folder: string, file: unknown): Promise<Config> {
  const path = join(folder, "weir.jsonc");
  writeFileSync(path, JSON.stringify(file));
  const result = await loadConfigFile(path, newConfigVersion());
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.config;
}

export async function startTestGateway(
  config: Config,
  options: Partial<Omit<GatewayOptions, "config">> = {},
): Promise<Gateway> {
  const port = options.port ?? (await freePorts(options.edges ?? 1));
  return startGateway({ secrets: SECRETS, serverTiming: true, ...options, config, port });
}

export async function keyFor(tenantId: string, keyId = "0123456789abcdef"): Promise<Record<string, string>> {
  const key = await mintApiKey(SECRETS.WEIR_KEY_SECRET, { tenantId, keyId });
  return { authorization: `Bearer ${key}` };
}

/** How many snapshots lie in the KV of a gateway with this state folder. */
export const snapshotsInKv = (stateDir: string): number =>
  readdirSync(stateDir, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.includes("snapshots") && path.includes("blobs/"),
  ).length;

/** Polls until `holds` does, or fails with `what` after the deadline. */
export async function waitUntil(
  what: string,
  deadlineMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<number> {
  const began = performance.now();
  while (performance.now() - began < deadlineMs) {
    if (await holds()) return performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${what}: not within ${deadlineMs} ms`);
}
