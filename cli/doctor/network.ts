/** Checks that leave this process: the gateway, the origins, the deployment's secrets. Each under a deadline. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { StatusReply } from "../../src/admin/contract.ts";
import type { Config, OriginConfig } from "../../src/config/model.ts";
import { callAdmin, findGateway, type Target } from "../client.ts";
import { isLocalUrl } from "../local-url.ts";
import { CliError } from "../output.ts";
import { type SecretName, secretCommand } from "../secrets.ts";
import type { Environment } from "../wrangler-file.ts";
import { nameOf } from "./files.ts";
import { type Finding, ok, skipped, warning, wrong } from "./finding.ts";

const TIMEOUT_MS = 5_000;
const WRANGLER_TIMEOUT_MS = 30_000;
/** `Date` has whole seconds, and the way there and back takes its time. */
const SKEW_MS = 5_000;

/** Without being asked only a gateway on this machine is called. */
export async function* checkGateway(
  stateDir: string | undefined,
  config: Config | undefined,
  asked: boolean,
): AsyncGenerator<Finding> {
  let target: Target;
  try {
    target = findGateway(stateDir);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    yield skipped(
      "gateway",
      "none is running here, and WEIR_URL names none",
      "npm start, or set WEIR_URL and WEIR_TOKEN",
    );
    return;
  }
  if (!asked && !isLocalUrl(target.url)) {
    yield skipped("gateway", `${target.url} is not on this machine`, "weir doctor --deployed asks it");
    return;
  }
  const sentAtMs = Date.now();
  const ready = await get(`${target.url}/_weir/readyz`);
  if (!ready.ok) {
    yield wrong("gateway", `${target.url}: ${ready.problem}`, "is it running, and is the address right?");
    return;
  }
  yield ready.response.ok
    ? ok("gateway", `${target.url} is ready`)
    : wrong(
        "gateway",
        `${target.url} is not ready: ${ready.response.status} ${await titleOf(ready.response)}`,
        "set what it names; see docs/deploy.md",
      );
  yield clock(ready.response.headers.get("date"), sentAtMs, Date.now());
  yield await inForce(stateDir, config);
}

function clock(date: string | null, sentAtMs: number, receivedAtMs: number): Finding {
  const theirs = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(theirs)) return skipped("clock", "the gateway sends no Date", "");
  const skewMs = Math.round(theirs + 500 - (sentAtMs + receivedAtMs) / 2);
  const found = `this machine and the gateway differ by ${(Math.abs(skewMs) / 1_000).toFixed(1)} s`;
  return Math.abs(skewMs) <= SKEW_MS
    ? ok("clock", found)
    : wrong("clock", found, "set this machine's clock: expiries are shown by it");
}

async function inForce(stateDir: string | undefined, config: Config | undefined): Promise<Finding> {
  const check = "config in force";
  try {
    const status = await callAdmin<StatusReply>(stateDir, { method: "GET", path: "/status" });
    if (config === undefined) return skipped(check, `version ${status.configVersion}`, "mend the config file first");
    return status.configHash === config.hash
      ? ok(check, "is the file's")
      : warning(
          check,
          "is not the file's",
          "weir diff shows how; weir apply, or npm run deploy, puts the file in force",
        );
  } catch (error) {
    return wrong(check, error instanceof Error ? error.message : String(error), "check WEIR_TOKEN");
  }
}

/** Origins on this machine, and the others when asked. */
export async function* checkOrigins(origins: readonly OriginConfig[], asked: boolean): AsyncGenerator<Finding> {
  for (const { id, url, probePath } of origins) {
    const check = `origin ${id}`;
    if (!asked && !isLocalUrl(url)) {
      yield skipped(check, `${url} is not on this machine`, "weir doctor --origins asks it");
      continue;
    }
    const answer = await get(url + probePath);
    const todo = "start it, or mend its url or breaker.probePath in the config";
    if (!answer.ok) yield wrong(check, `${url + probePath}: ${answer.problem}`, todo);
    else if (answer.response.status >= 500)
      yield wrong(check, `${url + probePath} answers ${answer.response.status}`, todo);
    else yield ok(check, `${url + probePath} answers ${answer.response.status}`);
  }
}

/** Names only: values never come back. */
export async function* checkDeployedSecrets(
  environments: readonly Environment[],
  needed: readonly SecretName[],
): AsyncGenerator<Finding> {
  for (const environment of environments) {
    const check = `secrets ${nameOf(environment)}`;
    try {
      const names = await deployedSecrets(environment.name);
      const missing = needed.filter((name) => !names.includes(name));
      if (missing.length === 0) yield ok(check, `${needed.join(", ")} are set`);
      for (const name of missing) yield wrong(check, `${name} is not set`, secretCommand(name, environment.name));
    } catch (error) {
      const why = (error instanceof Error ? error.message : String(error)).split("\n").slice(0, 2).join(" ");
      yield wrong(
        check,
        `wrangler could not list them: ${why.trim()}`,
        "npx wrangler login; then deploy this environment once",
      );
    }
  }
}

async function deployedSecrets(environment: string): Promise<readonly string[]> {
  const own = join("node_modules", ".bin", "wrangler");
  const { stdout } = await promisify(execFile)(
    existsSync(own) ? own : "wrangler",
    ["secret", "list", "--format", "json", "--env", environment],
    { timeout: WRANGLER_TIMEOUT_MS, env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false" } },
  );
  const listed: unknown = JSON.parse(stdout);
  if (!Array.isArray(listed)) throw new Error("it printed no list");
  return listed.map((entry: unknown) =>
    typeof entry === "object" && entry !== null && "name" in entry ? String(entry.name) : "",
  );
}

type Got = { readonly ok: true; readonly response: Response } | { readonly ok: false; readonly problem: string };

async function get(url: string): Promise<Got> {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { ok: true, response };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return { ok: false, problem: cause };
  }
}

async function titleOf(response: Response): Promise<string> {
  const value: unknown = await response.json().catch(() => undefined);
  return typeof value === "object" && value !== null && "title" in value ? String(value.title) : "";
}
