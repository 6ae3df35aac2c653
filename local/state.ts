/**
 * What a local gateway keeps in its state folder beside the objects' own data: secrets it made, the keys of the demo
 * tenants, and where it can be reached (for the command line). All files are the owner's alone.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MIN_SECRET_LENGTH, newSecret, readDevVars, type SecretName } from "../cli/secrets.ts";
import type { Config } from "../src/config/model.ts";

export const DEFAULT_STATE_DIR = join(".weir", "state");

export type LocalSecrets = Readonly<Record<SecretName, string>>;

/** From the environment, else `.dev.vars` in this folder, else made here once and kept. Throws when one is too short. */
export function loadSecrets(stateDir: string): LocalSecrets {
  const devVars = readDevVars();
  const path = join(stateDir, "secrets.json");
  const kept = readJson(path);
  const secret = (name: SecretName): string => {
    const found = process.env[name] || devVars[name] || kept[name];
    const value = typeof found === "string" && found !== "" ? found : newSecret();
    if (value.length < MIN_SECRET_LENGTH) {
      throw new Error(
        `${name} is too short: at least ${MIN_SECRET_LENGTH} characters, for example from: openssl rand -base64 32`,
      );
    }
    return value;
  };
  const secrets = {
    WEIR_KEY_SECRET: secret("WEIR_KEY_SECRET"),
    WEIR_ADMIN_TOKEN: secret("WEIR_ADMIN_TOKEN"),
    WEIR_PROXY_SECRET: secret("WEIR_PROXY_SECRET"),
  };
  writePrivate(path, { ...kept, ...secrets });
  return secrets;
}

/** What the config's receivers of alerts need, where the environment or `.dev.vars` has it. */
export function loadReceiverSecrets({ alerts }: Config): Readonly<Record<`WEIR_${string}`, string>> {
  const devVars = readDevVars();
  const found = alerts.receivers.map(({ secretName }) => [secretName, process.env[secretName] || devVars[secretName]]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined && value !== ""));
}

export interface GatewayRecord {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
}

export function writeGatewayRecord(stateDir: string, record: GatewayRecord): void {
  writePrivate(join(stateDir, "gateway.json"), record);
}

export function removeGatewayRecord(stateDir: string): void {
  rmSync(join(stateDir, "gateway.json"), { force: true });
}

/** The demo tenants' keys, made once: they stay valid over restarts as long as the secret does. */
export function loadKeys(stateDir: string): Record<string, unknown> {
  return readJson(join(stateDir, "keys.json"));
}

export function saveKeys(stateDir: string, keys: Readonly<Record<string, unknown>>): void {
  writePrivate(join(stateDir, "keys.json"), keys);
}

function writePrivate(path: string, value: unknown): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}

function readJson(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    throw new Error(`${path} is not JSON; move it away to have a new one made`);
  }
}
