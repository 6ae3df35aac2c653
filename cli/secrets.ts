/** The gateway's secrets on this machine (.dev.vars), and how each is put into a deployment. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Config } from "../src/config/model.ts";

export const DEV_VARS = ".dev.vars";
/** The last only with an identity rule of the type trustedHeader. */
export type SecretName = "WEIR_KEY_SECRET" | "WEIR_ADMIN_TOKEN" | "WEIR_PROXY_SECRET";
/** Every gateway has these. */
export const SECRET_NAMES: readonly SecretName[] = ["WEIR_KEY_SECRET", "WEIR_ADMIN_TOKEN"];

export function secretsFor(config: Config | undefined): readonly SecretName[] {
  const needsProxy = config?.identity.some(({ type }) => type === "trustedHeader") ?? false;
  return needsProxy ? [...SECRET_NAMES, "WEIR_PROXY_SECRET"] : SECRET_NAMES;
}

export const MIN_SECRET_LENGTH = 32;
const SECRET_BYTES = 32;
const OWNER_ONLY = 0o600;

export function readDevVars(path = DEV_VARS): Readonly<Record<string, string | undefined>> {
  return existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
}

export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

/** Makes what is missing, keeps what is there. The file is the owner's alone. Returns the names it made. */
export function makeDevVars(names = SECRET_NAMES, path = DEV_VARS): readonly SecretName[] {
  const known = readDevVars(path);
  const made = names.filter((name) => (known[name] ?? "") === "");
  if (made.length === 0) return made;
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  // An empty line of the example's would win over ours.
  const kept = before.split("\n").filter((line) => !made.some((name) => line.trim().startsWith(`${name}=`)));
  const added = made.map((name) => `${name}=${newSecret()}`);
  const lines = [...(before === "" ? [] : kept), ...added].join("\n").trimStart();
  writeFileSync(path, `${lines}\n`, { mode: OWNER_ONLY });
  chmodSync(path, OWNER_ONLY);
  return made;
}

/** Makes a secret and hands it over without showing it. */
export function secretCommand(name: SecretName, environment = ""): string {
  return `openssl rand -base64 32 | npx wrangler secret put ${name} --env="${environment}"`;
}
