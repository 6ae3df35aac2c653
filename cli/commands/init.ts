/** `weir init`: the first run. A config, local secrets, and what comes next. Overwrites nothing without --force. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as prompts from "@clack/prompts";
import { defineCommand } from "citty";
import { formatProblem } from "../../src/config/load.ts";
import { loadConfigFile } from "../config-file.ts";
import { configTemplate } from "../config-template.ts";
import { isLocalUrl } from "../local-url.ts";
import { CliError, EXIT, isInteractive, printJson } from "../output.ts";
import { DEV_VARS, makeDevVars, SECRET_NAMES, secretCommand, secretsFor, type SecretName } from "../secrets.ts";

const DEMO_ORIGIN = "http://127.0.0.1:9100";
const DEFAULT_TENANT = "acme";
const SCHEMAS = ["./weir.schema.json", "./node_modules/weir/weir.schema.json"] as const;

export const initCommand = defineCommand({
  meta: { name: "init", description: "Write a first config and local secrets, and say what comes next" },
  args: {
    config: { type: "string", description: "The file to write", default: "weir.jsonc" },
    origin: { type: "string", description: `Who answers (default ${DEMO_ORIGIN}, the demo origin of npm start)` },
    tenant: { type: "string", description: `The first tenant (default ${DEFAULT_TENANT})` },
    force: { type: "boolean", description: "Overwrite the config that is there", default: false },
    secrets: { type: "boolean", description: `Make the secrets in ${DEV_VARS}`, default: true },
    "only-secrets": { type: "boolean", description: "Leave the config as it is", default: false },
    json: { type: "boolean", description: "Print JSON; asks nothing", default: false },
  },
  async run({ args }) {
    if (args["only-secrets"]) {
      const loaded = existsSync(args.config) ? await loadConfigFile(args.config, 0) : undefined;
      const made = makeDevVars(secretsFor(loaded?.ok === true ? loaded.config : undefined));
      if (args.json) printJson({ config: null, secretsFile: DEV_VARS, secretsMade: made, next: [] });
      else saySecrets(made);
      return EXIT.ok;
    }
    if (existsSync(args.config) && !args.force) {
      throw new CliError(`${args.config} is there already; --force overwrites it`, EXIT.refused);
    }
    const { originUrl, tenant } = await answersOf(args, isInteractive() && !args.json);
    const schema = SCHEMAS.find((path) => existsSync(path));
    const originId = originUrl === DEMO_ORIGIN ? "demo" : "app";
    await writeConfig(args.config, configTemplate({ originUrl, tenant, schema, originId }));
    const made = args.secrets ? makeDevVars() : undefined;
    const next = nextSteps(args.config, originUrl, tenant);
    if (args.json) {
      const secretsFile = made === undefined ? null : DEV_VARS;
      printJson({ config: args.config, secretsFile, secretsMade: made ?? [], next });
      return EXIT.ok;
    }
    process.stdout.write(`${args.config} is written\n`);
    if (made !== undefined) saySecrets(made);
    process.stdout.write("\nNext:\n");
    for (const { says, command } of next) process.stdout.write(`  # ${says}\n  ${command}\n`);
    return EXIT.ok;
  },
});

async function answersOf(
  given: { readonly origin?: string | undefined; readonly tenant?: string | undefined },
  ask: boolean,
): Promise<{ readonly originUrl: string; readonly tenant: string }> {
  const originUrl = given.origin ?? (ask ? await askFor("Who answers?", DEMO_ORIGIN, urlProblem) : DEMO_ORIGIN);
  const problem = urlProblem(originUrl);
  if (problem !== undefined) throw new CliError(`--origin: ${problem}`, EXIT.usage);
  const tenant = given.tenant ?? (ask ? await askFor("The first tenant?", DEFAULT_TENANT) : DEFAULT_TENANT);
  return { originUrl, tenant };
}

/** Checked before it is kept: a template that is not valid with these answers is their fault, and is not left behind. */
async function writeConfig(path: string, text: string): Promise<void> {
  const before = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  const draft = `${path}.draft`;
  writeFileSync(draft, text);
  try {
    const result = await loadConfigFile(draft, 0);
    if (!result.ok) {
      throw new CliError(result.problems.map((problem) => formatProblem(path, problem)).join("\n"), EXIT.usage);
    }
    writeFileSync(path, text);
    if (before !== undefined && before !== text) writeFileSync(`${path}.before`, before);
  } finally {
    rmSync(draft, { force: true });
  }
}

async function askFor(
  message: string,
  initialValue: string,
  check?: (value: string) => string | undefined,
): Promise<string> {
  const answer = await prompts.text({
    message,
    initialValue,
    output: process.stderr,
    ...(check === undefined ? {} : { validate: (value: string | undefined) => check(value ?? "") }),
  });
  if (typeof answer !== "string") throw new CliError("stopped; nothing was written");
  return answer;
}

function urlProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "http:" || url?.protocol === "https:"
    ? undefined
    : `an http(s) URL is needed, not "${text}"`;
}

interface Step {
  readonly says: string;
  readonly command: string;
}

function nextSteps(config: string, originUrl: string, tenant: string): Step[] {
  const local = originUrl === DEMO_ORIGIN && config === "weir.jsonc" ? "npm start" : `npm start -- --config ${config}`;
  const secrets = SECRET_NAMES.map((name) => ({ says: `${name} of the deployment`, command: secretCommand(name) }));
  return [
    { says: "Run it on this machine", command: local },
    { says: "A key for the first tenant", command: `npm run weir -- keys create ${tenant}` },
    ...(isLocalUrl(originUrl) ? [] : secrets),
    ...(isLocalUrl(originUrl)
      ? [
          {
            says: "Before you deploy: an origin that is not on this machine",
            command: "npm run weir -- init --force --origin https://…",
          },
        ]
      : [{ says: "Put it on the edge", command: "npm run deploy" }]),
    { says: "Check everything", command: "npm run weir -- doctor" },
  ];
}

function saySecrets(made: readonly SecretName[]): void {
  const what =
    made.length === 0 ? "its secrets already" : `${made.join(", ")}, for this machine only; keep it out of git`;
  process.stdout.write(`${DEV_VARS} has ${what}\n`);
}
