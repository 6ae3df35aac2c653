/** `weir explain METHOD URL`: what would become of a request, stage by stage, and why. Nothing is sent or spent. */
import { readFile } from "node:fs/promises";
import { defineCommand } from "citty";
import type { ExplainBody, ExplainReply } from "../../src/admin/contract.ts";
import { callAdmin, findGateway, gatewayArguments } from "../client.ts";
import { CliError, colour, EXIT, printJson, tableText } from "../output.ts";

const CONFIGS = ["in-force", "canary"] as const;

export const explainCommand = defineCommand({
  meta: { name: "explain", description: "What would become of a request, and why; nothing is sent or spent" },
  args: {
    method: { type: "positional", description: "GET, POST, …", required: true },
    url: { type: "positional", description: "URL as a client calls it, or its path", required: true },
    tenant: { type: "string", description: "As a caller of this tenant, without a credential" },
    "key-file": { type: "string", description: "File with the API key to call with" },
    header: { type: "string", alias: "H", description: 'A header, "Name: value"; may be given more than once' },
    address: { type: "string", description: "The client's address" },
    config: { type: "string", description: `${CONFIGS.join(" or ")}: by this one, whoever calls` },
    ...gatewayArguments,
  },
  async run({ args, rawArgs }) {
    const config = CONFIGS.find((name) => name === args.config);
    if (args.config !== undefined && config === undefined)
      throw new CliError(`--config must be ${CONFIGS.join(" or ")}, not "${args.config}"`, EXIT.usage);
    const keyFile = args["key-file"];
    const body: ExplainBody = {
      method: args.method,
      url: args.url.startsWith("/") ? findGateway(args.state).url + args.url : args.url,
      headers: Object.fromEntries(headersOf(rawArgs)),
      ...(args.tenant === undefined ? {} : { tenant: args.tenant }),
      ...(keyFile === undefined ? {} : { apiKey: await keyOf(keyFile) }),
      ...(args.address === undefined ? {} : { address: args.address }),
      ...(config === undefined ? {} : { config }),
    };
    const reply = await callAdmin<ExplainReply>(args.state, { method: "POST", path: "/explain", body });
    if (args.json) printJson(reply);
    else process.stdout.write(textOf(reply));
  },
});

async function keyOf(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Every one that was given: citty keeps the last. */
function headersOf(words: readonly string[]): [string, string][] {
  return words.flatMap((word, index): [string, string][] => {
    const given = ["-H", "--header"].includes(word) ? words[index + 1] : /^(?:-H|--header)=(.*)$/s.exec(word)?.[1];
    if (given === undefined) return [];
    const colon = given.indexOf(":");
    // Not told again: it may be a credential.
    if (colon < 1) throw new CliError('a header must be "Name: value"', EXIT.usage);
    return [[given.slice(0, colon).trim(), given.slice(colon + 1).trim()]];
  });
}

const GOOD: readonly string[] = ["accepted", "matched", "known", "assumed", "admitted", "hit", "go", "call", "allowed"];
const BAD: readonly string[] = ["refused", "throttled", "shed", "held"];

function decisionText(decision: string): string {
  if (GOOD.includes(decision)) return colour.green(decision);
  return BAD.includes(decision) ? colour.red(decision) : colour.dim(decision);
}

function textOf({ steps, ladder, predicted, calls }: ExplainReply): string {
  const { status, served, refusal, headers } = predicted;
  const parts = [
    tableText(
      steps.map(({ stage, decision, reason, source }) => [stage, decisionText(decision), reason, colour.dim(source)]),
    ),
    limitsText(steps),
    ladder.length === 0
      ? ""
      : `If the origin could not answer:\n${tableText(ladder.map(({ rung, answers, does, source }) => [`  ${rung}`, answers ? does : colour.dim(does), colour.dim(source)]))}`,
    calls
      .map(({ role, method, url, droppedHeaders, addedHeaders }) =>
        [
          `Call of the ${role}: ${method} ${url}`,
          `  without ${droppedHeaders.join(", ") || "nothing"}`,
          `  with also ${addedHeaders.join(", ") || "nothing"}\n`,
        ].join("\n"),
      )
      .join(""),
    [
      `Answer: ${colour.bold(status === null ? "as the origin says" : String(status))}`,
      refusal === null ? "" : ` (${refusal})`,
      served === null ? "" : `, served by ${served}`,
      "\n",
      ...Object.entries(headers).map(([name, value]) => `  ${name}: ${value}\n`),
    ].join(""),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function limitsText(steps: ExplainReply["steps"]): string {
  const rows = steps.flatMap(({ details }) =>
    Array.isArray(details["limits"]) ? details["limits"].map(limitCells) : [],
  );
  return rows.length === 0 ? "" : tableText([["LIMIT", "LEFT", "OF", "RESET", "MODE", "SOURCE"], ...rows]);
}

function limitCells(limit: unknown): string[] {
  const field = (name: string): string => {
    const value: unknown = typeof limit === "object" && limit !== null ? Reflect.get(limit, name) : undefined;
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  };
  const reset = field("resetSeconds");
  const left = field("remainingTokens");
  return [
    field("name"),
    left === "0" ? colour.red(left) : left,
    field("capacityTokens"),
    reset === "" ? "" : `${reset} s`,
    field("mode"),
    colour.dim(field("source")),
  ];
}
