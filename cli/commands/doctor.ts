/** `weir doctor`: is everything in place, and what to do about what is not. Changes nothing. */
import { defineCommand } from "citty";
import type { LoadResult } from "../../src/config/load.ts";
import { gatewayArguments } from "../client.ts";
import { loadConfigFile } from "../config-file.ts";
import { checkBindings, checkConfig, checkLocalSecrets, checkNode, checkSchema } from "../doctor/files.ts";
import { type Finding, wrong } from "../doctor/finding.ts";
import { checkDeployedSecrets, checkGateway, checkOrigins } from "../doctor/network.ts";
import { colour, EXIT, printJson } from "../output.ts";
import { secretsFor } from "../secrets.ts";
import { readWranglerFile } from "../wrangler-file.ts";

export const doctorCommand = defineCommand({
  meta: { name: "doctor", description: "Check config, bindings, secrets, gateway and origins; say what to do" },
  args: {
    config: { type: "string", description: "The file", default: "weir.jsonc" },
    wrangler: { type: "string", description: "Wrangler's file", default: "wrangler.toml" },
    deployed: {
      type: "boolean",
      description: "Ask the deployed gateway (WEIR_URL), and wrangler for its secrets",
      default: false,
    },
    origins: { type: "boolean", description: "Ask origins that are not on this machine, too", default: false },
    ...gatewayArguments,
  },
  async run({ args }) {
    const findings: Finding[] = [];
    for await (const finding of examine({ ...args, state: args.state })) {
      findings.push(finding);
      if (!args.json) print(finding);
    }
    const bad = findings.filter(({ result }) => result === "wrong").length;
    if (args.json) printJson({ ok: bad === 0, checks: findings });
    else if (bad > 0) console.error(`${bad} thing(s) to mend`);
    return bad === 0 ? EXIT.ok : EXIT.error;
  },
});

interface Options {
  readonly config: string;
  readonly wrangler: string;
  readonly deployed: boolean;
  readonly origins: boolean;
  readonly state: string | undefined;
}

async function* examine(options: Options): AsyncGenerator<Finding> {
  yield checkNode();
  const loaded = await loadConfigFile(options.config, 0).catch((error: unknown) => String(error));
  if (typeof loaded === "string") yield wrong("config", loaded, "weir init writes one");
  else yield* checkConfig(options.config, loaded);
  yield checkSchema(options.config);
  const wrangler = readWranglerFile(options.wrangler);
  yield* checkBindings(options.wrangler, wrangler);
  const config = configOf(loaded);
  const secrets = secretsFor(config);
  yield* checkLocalSecrets(secrets);
  if (options.deployed && wrangler.kind === "read") yield* checkDeployedSecrets(wrangler.environments, secrets);
  yield* checkGateway(options.state, config, options.deployed);
  yield* checkOrigins(config?.origins ?? [], options.origins);
}

function configOf(loaded: LoadResult | string): Extract<LoadResult, { ok: true }>["config"] | undefined {
  return typeof loaded !== "string" && loaded.ok ? loaded.config : undefined;
}

const WORDS = {
  ok: colour.green("ok"),
  warning: colour.yellow("warning"),
  wrong: colour.red("wrong"),
  skipped: colour.dim("skipped"),
} as const;
const CHECK_WIDTH = 22;

function print({ check, result, found, todo }: Finding): void {
  const pad = " ".repeat(Math.max(1, "warning ".length - result.length));
  process.stdout.write(`${WORDS[result]}${pad}${check.padEnd(CHECK_WIDTH)} ${found}\n`);
  if (todo !== "") process.stdout.write(`${" ".repeat("warning ".length + CHECK_WIDTH + 1)}-> ${todo}\n`);
}
