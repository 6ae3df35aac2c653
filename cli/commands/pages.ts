/** `weir pages preview ROUTE`: what a caller of the route would get, without an outage. */
import { writeFile } from "node:fs/promises";
import { defineCommand } from "citty";
import type { PagePreview } from "../../src/admin/contract.ts";
import { PREVIEW_STATES } from "../../src/config/pages/vocabulary.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { CliError, EXIT, printJson } from "../output.ts";

const preview = defineCommand({
  meta: { name: "preview", description: "Show what a caller would get, by the gateway's own code; touches no state" },
  args: {
    route: { type: "positional", description: "Route id", required: true },
    // Here --state is the state to show; the gateway's state folder has another name.
    state: { type: "string", description: PREVIEW_STATES.join(", "), default: "open" },
    accept: { type: "string", description: "Accept, as the client sends it", default: "text/html" },
    lang: { type: "string", description: 'Accept-Language, as the client sends it: for example "de"' },
    out: { type: "string", description: "Write the body to this file" },
    "state-dir": gatewayArguments.state,
    json: gatewayArguments.json,
  },
  async run({ args }) {
    const states: readonly string[] = PREVIEW_STATES;
    if (!states.includes(args.state)) {
      throw new CliError(`--state must be one of ${states.join(", ")}, not "${args.state}"`, EXIT.usage);
    }
    const query = new URLSearchParams({
      state: args.state,
      accept: args.accept,
      ...(args.lang === undefined ? {} : { lang: args.lang }),
    });
    const path = `/pages/${encodeURIComponent(args.route)}/preview?${query}`;
    const shown = await callAdmin<PagePreview>(args["state-dir"], { method: "GET", path });
    if (args.out !== undefined) await write(args.out, shown.body);
    if (args.json) {
      printJson(shown);
      return;
    }
    const headers = Object.entries(shown.headers).map(([name, value]) => `${name}: ${value}`);
    process.stdout.write(`${[shown.status, ...headers].join("\n")}\n`);
    if (args.out === undefined) process.stdout.write(`\n${shown.body}`);
    else console.error(`the body is in ${args.out}`);
  },
});

async function write(file: string, body: string): Promise<void> {
  try {
    await writeFile(file, body);
  } catch (error) {
    throw new CliError(`cannot write ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export const pagesCommand = defineCommand({
  meta: { name: "pages", description: "What callers get when Weir answers by itself" },
  subCommands: { preview },
});
