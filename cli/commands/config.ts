/** `weir diff | apply | history | rollback | trial`: configs with history, without a deploy. */
import { existsSync } from "node:fs";
import { defineCommand } from "citty";
import type { ApplyBody, ConfigHistoryReply, ConfigOutcomeReply, ConfigVersionView } from "../../src/admin/contract.ts";
import { type ConfigSide, diffConfigs } from "../../src/config/diff.ts";
import { DURATION_PATTERN, durationMs } from "../../src/config/units.ts";
import { callAdmin, gatewayArguments, type Problem } from "../client.ts";
import {
  loadValid,
  patchFile,
  patchInForce,
  printChanges,
  readRemote,
  type RemoteConfig,
  sideOf,
} from "../config-changes.ts";
import { agreed } from "../confirm.ts";
import { operator } from "../operator.ts";
import { CliError, EXIT, printJson, printTable, timeOf } from "../output.ts";

const config = { type: "string", description: "The file", default: "weir.jsonc" } as const;
const message = { type: "string", description: "Why, for those who look later", default: "" } as const;
const yes = { type: "boolean", description: "Do not ask", default: false } as const;

export const diffCommand = defineCommand({
  meta: { name: "diff", description: "What applying the file would change; or what changed between two versions" },
  args: {
    config,
    from: { type: "string", description: "Number of a version (default: what is in force)" },
    to: { type: "string", description: "Number of a version (default: the file)" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const before = await readRemote(args.state, versionNumber("from", args.from));
    const to = versionNumber("to", args.to);
    const after = to === undefined ? await sideOf(await loadValid(args.config)) : await readRemote(args.state, to);
    const changes = diffConfigs(before, after);
    if (args.json) printJson({ from: before.number, to: to ?? null, changes });
    else printChanges(changes);
    return changes.length === 0 ? EXIT.ok : EXIT.differences;
  },
});

function versionNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new CliError(`--${name} must be the number of a version, like 7, not "${text}"`, EXIT.usage);
}

export const applyCommand = defineCommand({
  meta: { name: "apply", description: "Put the file in force, for everybody within seconds; or on trial first" },
  args: {
    config,
    patch: {
      type: "string",
      description: "A JSON merge patch (RFC 7396): the config in force, changed by it, in the place of the file",
    },
    write: { type: "boolean", description: "With --patch: change the file (--config) by it, too", default: false },
    message,
    yes,
    "dry-run": { type: "boolean", description: "Let the gateway check it, and show what would change", default: false },
    canary: { type: "string", description: 'Share of the callers that gets it first: for example "5%"' },
    for: { type: "string", description: "How long the canary lasts", default: "10m" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const canary = args.canary === undefined ? undefined : trialOf(args.canary, args.for);
    if (args.write && args.patch === undefined) throw new CliError("--write goes with --patch", EXIT.usage);
    const before = await readRemote(args.state, undefined);
    const after = await (args.patch === undefined ? ofFile(args.config) : ofPatch(args.patch, before));
    const changes = diffConfigs(before, after.side);
    const dryRun = args["dry-run"];
    if (!args.json) printChanges(changes);
    if (!dryRun && changes.length > 0 && !(await agreed(args.yes, questionOf(changes.length, args.canary)))) {
      console.error("nothing was changed");
      return EXIT.refused;
    }
    const body: ApplyBody = {
      ...after.sent,
      message: args.message,
      by: operator(),
      dryRun,
      ...(canary === undefined ? {} : { canary }),
    };
    const reply = await change<ConfigOutcomeReply | { readonly kind: "checked" }>(
      args.state,
      "/configs",
      before.number,
      body,
    );
    if (args.json) printJson({ ...reply, changes });
    else console.error(outcomeText(reply));
    if (args.patch !== undefined && !dryRun) await keepInFile(args.patch, args.config, args.write);
    return EXIT.ok;
  },
});

interface Proposed {
  readonly side: ConfigSide;
  readonly sent: Pick<ApplyBody, "text" | "pages">;
}

async function ofFile(path: string): Promise<Proposed> {
  const loaded = await loadValid(path);
  const pages = { ...loaded.config.pages.templates } as ApplyBody["pages"];
  return { side: await sideOf(loaded), sent: { text: loaded.text, pages } };
}

/** Without pages: those in force stay. */
async function ofPatch(path: string, before: RemoteConfig): Promise<Proposed> {
  const side = await patchInForce(path, before);
  return { side, sent: { text: side.text } };
}

async function keepInFile(patch: string, file: string, write: boolean): Promise<void> {
  if (write) await patchFile(patch, file);
  else if (existsSync(file))
    console.error(`${file} is as it was: applying it takes the patch back (--write changes it)`);
}

const questionOf = (changes: number, canary: string | undefined): string =>
  `Apply ${changes === 1 ? "this change" : `these ${changes} changes`}${canary === undefined ? "" : ` to ${canary} of the callers first`}?`;

function trialOf(share: string, length: string): { readonly shareRatio: number; readonly forMs: number } {
  const percent = Number(share.replace(/%$/, ""));
  if (!share.endsWith("%") || !(percent > 0 && percent <= 100)) {
    throw new CliError(`--canary must be a share like "5%", above 0, at most 100 %, not "${share}"`, EXIT.usage);
  }
  if (!DURATION_PATTERN.test(length)) {
    throw new CliError(`--for must be a duration like "10m", not "${length}"`, EXIT.usage);
  }
  return { shareRatio: percent / 100, forMs: durationMs(length) };
}

/** Refused because another config is in force or on trial: exit code 4. */
async function change<Reply>(state: string | undefined, path: string, number: number, body: unknown): Promise<Reply> {
  const reply = await callAdmin<Reply | Problem>(state, {
    method: "POST",
    path,
    body,
    headers: { "if-match": `"${number}"` },
    expected: [409, 412, 422],
  });
  if (typeof reply !== "object" || reply === null || !("status" in reply) || !("title" in reply)) return reply;
  if (Array.isArray(reply["problems"])) {
    for (const problem of reply["problems"] as { path: string; message: string }[]) {
      console.error(`${problem.path}: ${problem.message}`);
    }
  }
  throw new CliError(reply.title, reply.status === 422 ? EXIT.error : EXIT.refused);
}

function outcomeText(reply: ConfigOutcomeReply | { readonly kind: "checked" }): string {
  switch (reply.kind) {
    case "checked":
      return "the gateway would take it; nothing was changed";
    case "same":
      return `config ${reply.version.number} is this already; nothing was changed`;
    case "done": {
      const { canary } = reply.inForce;
      return canary === undefined
        ? `config ${reply.version.number} is in force`
        : `config ${canary.number} is on trial with ${canary.shareRatio * 100} % of the callers: weir trial status`;
    }
  }
}

export const historyCommand = defineCommand({
  meta: { name: "history", description: "Who put which config in force, when, and why" },
  args: { limit: { type: "string", description: "How many, at most 100", default: "20" }, ...gatewayArguments },
  async run({ args }) {
    const history = await readHistory(args.state, args.limit);
    if (args.json) {
      printJson(history);
      return;
    }
    const { inForce, versions } = history;
    printTable([
      ["", "NUMBER", "TIME", "FROM", "BY", "MESSAGE"],
      ...versions.map((version) => [
        version.number === inForce?.number ? "*" : version.number === inForce?.canary?.number ? "?" : "",
        String(version.number),
        timeOf(version.atMs),
        sourceOf(version),
        version.author,
        version.message,
      ]),
    ]);
  },
});

const sourceOf = ({ source, contentOf }: ConfigVersionView): string =>
  contentOf === null ? source : `${source} (as ${contentOf})`;

const readHistory = (state: string | undefined, limit: string): Promise<ConfigHistoryReply> =>
  callAdmin<ConfigHistoryReply>(state, { method: "GET", path: `/configs?limit=${encodeURIComponent(limit)}` });

export const rollbackCommand = defineCommand({
  meta: { name: "rollback", description: "Put an earlier config in force again; by default the one before" },
  args: {
    number: { type: "positional", description: "Number of the version", required: false },
    message,
    yes,
    ...gatewayArguments,
  },
  async run({ args }) {
    const { inForce, versions } = await readHistory(args.state, "100");
    if (inForce === null) throw new CliError("nothing is in force yet");
    const number = versionNumber("number", args.number) ?? oneBefore(versions, inForce.number);
    const before = await readRemote(args.state, inForce.number);
    const changes = diffConfigs(before, await readRemote(args.state, number));
    if (!args.json) printChanges(changes);
    if (!(await agreed(args.yes, `Put config ${number} in force again?`))) {
      console.error("nothing was changed");
      return EXIT.refused;
    }
    const body = { number, message: args.message, by: operator() };
    const reply = await change<ConfigOutcomeReply>(args.state, "/configs/rollback", inForce.number, body);
    if (args.json) printJson({ ...reply, changes });
    else console.error(outcomeText(reply));
    return EXIT.ok;
  },
});

/** The newest version below `number` whose content is another one. */
function oneBefore(versions: readonly ConfigVersionView[], number: number): number {
  const hash = versions.find((version) => version.number === number)?.hash;
  const earlier = versions.find((version) => version.number < number && version.hash !== hash);
  if (earlier === undefined) throw new CliError("there is no earlier config to go back to");
  return earlier.number;
}

const trialStatus = defineCommand({
  meta: { name: "status", description: "How the config on trial does beside the other" },
  args: gatewayArguments,
  async run({ args }) {
    const { trial } = await readHistory(args.state, "1");
    if (args.json) {
      printJson({ trial });
      return;
    }
    if (trial === null) {
      process.stdout.write("no config is on trial\n");
      return;
    }
    const left = Math.max(0, Math.round((trial.endsAtMs - Date.now()) / 1_000));
    process.stdout.write(`config ${trial.number}, ${trial.shareRatio * 100} % of the callers, ${left} s left\n`);
    printTable([
      ["", "REQUESTS", "FAILED", "THROTTLED"],
      ...(["canary", "control"] as const).map((arm) => {
        const { requests, failed, throttled } = trial.arms[arm];
        return [arm, String(requests), String(failed), String(throttled)];
      }),
    ]);
  },
});

function endCommand(name: string, description: string, promote: boolean) {
  return defineCommand({
    meta: { name, description },
    args: { message, yes, ...gatewayArguments },
    async run({ args }) {
      if (!(await agreed(args.yes, `${description}?`))) return EXIT.refused;
      const body = { promote, message: args.message, by: operator() };
      const reply = await change<ConfigOutcomeReply>(args.state, "/configs/trial/end", 0, body);
      if (args.json) printJson(reply);
      else console.error(outcomeText(reply));
      return EXIT.ok;
    },
  });
}

export const trialCommand = defineCommand({
  meta: { name: "trial", description: "A config that a share of the callers has first" },
  subCommands: {
    status: trialStatus,
    promote: endCommand("promote", "Give the config on trial to everybody", true),
    abort: endCommand("abort", "Take the config on trial back", false),
  },
});
