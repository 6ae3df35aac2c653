/** `weir cache purge URL`: what is stored is stale from now on, or gone; `weir cache purges`: which purges there were. */
import { defineCommand } from "citty";
import type { PurgeBody, PurgeReply, PurgesReply, PurgeTargetView } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { operator } from "../operator.ts";
import { CliError, EXIT, printJson, printTable, timeOf } from "../output.ts";

const purge = defineCommand({
  meta: { name: "purge", description: "Make what is stored stale (or gone), everywhere within 5 s" },
  args: {
    url: { type: "positional", description: "A URL, or a path for every host", required: false },
    prefix: { type: "string", description: "Everything below: /shop/ or https://shop.example/" },
    tag: { type: "string", description: "Everything that the origin marked so (Cache-Tag)" },
    hard: { type: "boolean", description: "As if it had never been stored: never served again", default: false },
    origin: { type: "string", description: "Only what came from this origin" },
    tenant: { type: "string", description: "Only what is kept for this tenant" },
    reason: { type: "string", description: "Why; kept in the list", default: "by hand" },
    ...gatewayArguments,
  },
  async run({ args }) {
    const { url, prefix, tag, origin, tenant, reason } = args;
    const given = { url, prefix, tag, origin, tenant };
    const named = [url, prefix, tag].filter((value) => value !== undefined);
    if (named.length !== 1) throw new CliError("give a URL, --prefix or --tag, and only one of them", EXIT.usage);
    const body: PurgeBody = {
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
      mode: args.hard ? "hard" : "soft",
      reason,
      by: operator(),
    };
    const reply = await callAdmin<PurgeReply>(args.state, { method: "POST", path: "/purges", body });
    if (args.json) printJson(reply);
    else {
      const origins = reply.origins.map((reached) => reached.origin).join(", ");
      const what = args.hard ? "gone" : "stale";
      process.stdout.write(`${inWords(reply.purged)} of ${origins}: ${what} everywhere within 5 s\n`);
    }
  },
});

const purges = defineCommand({
  meta: { name: "purges", description: "Which purges there were, the newest first" },
  args: { origin: { type: "string", description: "Only of this origin" }, ...gatewayArguments },
  async run({ args }) {
    const path = args.origin === undefined ? "/purges" : `/purges?origin=${encodeURIComponent(args.origin)}`;
    const reply = await callAdmin<PurgesReply>(args.state, { method: "GET", path });
    if (args.json) printJson(reply);
    else {
      const rows = reply.purges.map(({ atMs, origin, purged, mode, by, reason }) => [
        timeOf(atMs),
        origin,
        mode,
        inWords(purged),
        by,
        reason,
      ]);
      printTable([["TIME", "ORIGIN", "MODE", "WHAT", "BY", "WHY"], ...rows]);
    }
    if (reply.unreachable.length === 0) return undefined;
    process.stderr.write(`error: no answer for ${reply.unreachable.join(", ")}\n`);
    return EXIT.error;
  },
});

function inWords({ kind, value, host, tenant }: PurgeTargetView): string {
  const what = kind === "tag" ? `tag ${value}` : (host ?? "") + value + (kind === "prefix" ? "…" : "");
  return tenant === undefined ? what : `${what} (tenant ${tenant})`;
}

export const cacheCommand = defineCommand({
  meta: { name: "cache", description: "What is stored of origins' answers" },
  subCommands: { purge, purges },
});
