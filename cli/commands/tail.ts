/** `weir tail`: decisions as they are made, an even sample where there are too many. */
import { randomBytes } from "node:crypto";
import { defineCommand } from "citty";
import { OUTCOMES, type TailedDecision, type TailReply } from "../../src/admin/contract.ts";
import { callAdmin, gatewayArguments } from "../client.ts";
import { CliError, colour, EXIT, timeOf } from "../output.ts";
import { countArgument, turns } from "../watch.ts";

const ASK_EVERY_MS = 500;

export const tailCommand = defineCommand({
  meta: { name: "tail", description: "Watch decisions as they are made, until Ctrl-C" },
  args: {
    tenant: { type: "string", description: "Only of this tenant" },
    route: { type: "string", description: "Only of this route" },
    status: { type: "string", description: "Only with this status: 429, or 4xx for all of a class" },
    outcome: { type: "string", description: `Only these: ${OUTCOMES.join(", ")}` },
    count: { type: "string", description: "End after so many" },
    state: gatewayArguments.state,
    json: { type: "boolean", description: "Print one JSON object a line", default: false },
  },
  async run({ args }) {
    const { tenant, route, status, outcome } = args;
    if (status !== undefined && !/^[1-5](\d\d|xx)$/.test(status))
      throw new CliError(`--status must be like 429 or 4xx, not "${status}"`, EXIT.usage);
    if (outcome !== undefined && !OUTCOMES.some((known) => known === outcome))
      throw new CliError(`--outcome must be one of ${OUTCOMES.join(", ")}, not "${outcome}"`, EXIT.usage);
    const most = countArgument("count", args.count) ?? Number.POSITIVE_INFINITY;
    const query = new URLSearchParams({ listener: randomBytes(8).toString("hex") });
    for (const [name, value] of Object.entries({ tenant, route, status, outcome })) {
      if (value !== undefined) query.set(name, value);
    }
    let shown = 0;
    let dropped = 0;
    for await (const turn of turns(ASK_EVERY_MS)) {
      const reply = await callAdmin<TailReply>(args.state, { method: "GET", path: `/tail?${query.toString()}` });
      if (turn === 0 && !args.json) console.error("watching; Ctrl-C ends it");
      query.set("after", reply.next);
      for (const decision of reply.decisions.slice(0, most - shown)) print(decision, args.json);
      shown += Math.min(reply.decisions.length, most - shown);
      if (reply.dropped !== dropped) {
        dropped = reply.dropped;
        console.error(colour.yellow(shareText(reply)));
      }
      if (shown >= most) break;
    }
  },
});

/** Said whenever something is left out, so that nobody takes a sample for everything. */
function shareText({ matched, dropped, edges }: TailReply): string {
  const share = matched === 0 ? 100 : ((matched - dropped) / matched) * 100;
  const isolates = edges === 1 ? "1 isolate" : `${edges} isolates`;
  return `a sample: ${matched - dropped} of ${matched} so far (${share.toFixed(0)} %), from ${isolates}`;
}

function print(decision: TailedDecision, json: boolean): void {
  process.stdout.write(`${json ? JSON.stringify(decision) : lineOf(decision)}\n`);
}

function lineOf(decision: TailedDecision): string {
  const { atMs, status, outcome, tenant, route, method, path, durationMs, violated, refusal, decidedBy } = decision;
  const why = violated.length > 0 ? violated.join(",") : (refusal ?? decidedBy ?? "");
  return [
    timeOf(atMs).slice(11, 23),
    colourOf(status)(String(status)),
    outcome.padEnd(9),
    (tenant ?? "-").padEnd(12),
    (route ?? "-").padEnd(10),
    method.padEnd(4),
    path,
    `${Math.round(durationMs)}ms`,
    why,
    colour.dim(decision.requestId),
  ]
    .filter((cell) => cell !== "")
    .join(" ");
}

function colourOf(status: number): (text: string) => string {
  if (status >= 500) return colour.red;
  return status >= 400 ? colour.yellow : colour.green;
}
