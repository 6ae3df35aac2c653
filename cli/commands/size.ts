/** `weir size`: what tenants and origins asked for, beside the limits in force; what is too small, and who is noisy. */
import { writeFile } from "node:fs/promises";
import { defineCommand } from "citty";
import { parse } from "jsonc-parser";
import type { DemandReply, TenantView } from "../../src/admin/contract.ts";
import { configSchema } from "../../src/config/schema.ts";
import { size } from "../../src/policy/sizing/size.ts";
import type { Finding, SizedOrigin, SizedTenant, Sizing } from "../../src/policy/sizing/types.ts";
import { callAdmin, gatewayArguments, type Problem, readCounters } from "../client.ts";
import { readRemote } from "../config-changes.ts";
import { CliError, colour, EXIT, printJson, printTable, timeOf } from "../output.ts";
import { type ApiTenant, inForceOf } from "../sizing/in-force.ts";
import { patchOf } from "../sizing/patch.ts";
import { countArgument } from "../watch.ts";

const MAX_HOURS = 720;

export const sizeCommand = defineCommand({
  meta: {
    name: "size",
    description:
      "Limits that fit what was asked: rate = demand at p99 over 10 s, times 1.2; burst = the fullest second, at least one second of the rate; concurrency = arrivals at p99 times mean seconds (Little's law), times 1.2, and three times the root of that",
  },
  args: {
    hours: { type: "string", description: `How far back, 1 to ${MAX_HOURS}`, default: "24" },
    patch: { type: "string", description: "Write what it proposes to this file, for weir apply --patch" },
    tighten: {
      type: "boolean",
      description: "Propose to lower limits that isolate nobody, too; else none is lowered",
      default: false,
    },
    ...gatewayArguments,
  },
  async run({ args }) {
    const hours = countArgument("hours", args.hours) ?? 1;
    if (hours > MAX_HOURS) throw new CliError(`--hours must be ${MAX_HOURS} at most`, EXIT.usage);
    const demand = await callAdmin<DemandReply>(args.state, { method: "GET", path: `/demand?hours=${hours}` });
    const file = await readFile(args.state);
    const counted = countedByOrigin(await readCounters(args.state));
    const recorded = {
      tenants: demand.tenants.filter(({ tenant }) => tenant !== OTHERS && tenant !== NOBODY),
      origins: demand.origins.map((origin) => ({ ...origin, ...(counted.get(origin.origin) ?? UNCOUNTED) })),
    };
    const named = recorded.tenants.map(({ tenant }) => tenant);
    const sizing = size(recorded, inForceOf(file, await readTenants(args.state, file, named)), args.tighten);
    const patch = patchOf(sizing.proposals, file);
    if (args.patch !== undefined) await writeFile(args.patch, `${JSON.stringify(patch, null, 2)}\n`);
    if (args.json) printJson({ fromMs: demand.fromMs, toMs: demand.toMs, ...sizing, patch });
    else print(demand, sizing, args.patch);
    return EXIT.ok;
  },
});

/** What is counted for those that are not told apart, and for callers that nobody was found to be. */
const OTHERS = "other";
const NOBODY = "none";

type ConfigFile = ReturnType<typeof configSchema.parse>;

async function readFile(state: string | undefined): Promise<ConfigFile> {
  const { number, text } = await readRemote(state, undefined);
  if (number === 0 || text === "{}") throw new CliError("the config in force has no text to size: apply a file first");
  const parsed = configSchema.safeParse(parse(text, [], { allowTrailingComma: true }));
  if (parsed.success) return parsed.data;
  throw new CliError("the config in force is of another version than this command line");
}

const SHED = /^weir_bulkhead_refused_total\{origin="([^"]*)",reason="(?:slots|load)"\}$/;
const REQUESTS = /^weir_requests_total\{origin="([^"]*)",route="[^"]*",outcome="([^"]*)"\}$/;
const ANSWERED: readonly string[] = ["origin", "cache", "stale", "snapshot", "failover"];
const UNCOUNTED = { shed: 0, requests: 0, answered: 0 };

/** Since counting began. */
function countedByOrigin(counters: ReadonlyMap<string, number>): ReadonlyMap<string, typeof UNCOUNTED> {
  const counted = new Map<string, typeof UNCOUNTED>();
  const of = (origin: string): typeof UNCOUNTED => {
    const known = counted.get(origin) ?? { ...UNCOUNTED };
    counted.set(origin, known);
    return known;
  };
  for (const [series, count] of counters) {
    const shedAt = SHED.exec(series)?.[1];
    if (shedAt !== undefined) of(shedAt).shed += count;
    const [, origin, outcome = ""] = REQUESTS.exec(series) ?? [];
    if (origin === undefined) continue;
    of(origin).requests += count;
    if (ANSWERED.includes(outcome)) of(origin).answered += count;
  }
  return counted;
}

/** Those that the file does not name. */
async function readTenants(
  state: string | undefined,
  file: ConfigFile,
  tenants: readonly string[],
): Promise<readonly ApiTenant[]> {
  const found: ApiTenant[] = [];
  for (const tenant of tenants) {
    if (Object.hasOwn(file.tenants ?? {}, tenant)) continue;
    const path = `/tenants/${encodeURIComponent(tenant)}`;
    const view = await callAdmin<TenantView | Problem>(state, { method: "GET", path, expected: [404], patient: true });
    if ("tenant" in view && "plan" in view) found.push(view as TenantView);
  }
  return found;
}

function print(
  demand: DemandReply,
  { tenants, origins, findings, proposals }: Sizing,
  patch: string | undefined,
): void {
  if (tenants.length === 0 && origins.length === 0) {
    process.stdout.write("nothing was recorded in this time\n");
    return;
  }
  process.stdout.write(`${timeOf(demand.fromMs)} to ${timeOf(demand.toMs)}; tokens a second, calls at once\n\n`);
  printTable([
    ["TENANT", "PLAN", "P50", "P95", "P99", "PEAK", "THROTTLED", "RATE", "BURST", "AT ONCE", "IN FORCE", "STANDING"],
    ...tenants.map(tenantCells),
  ]);
  process.stdout.write("\n");
  printTable([
    ["ORIGIN", "P50", "P95", "P99", "AT ONCE P99", "SHED", "CONCURRENCY", "IN FORCE", "EACH TENANT"],
    ...origins.map(originCells),
  ]);
  process.stdout.write("\n");
  for (const finding of findings) process.stdout.write(`${findingText(finding)}\n`);
  if (findings.length === 0) process.stdout.write("nothing throttles who behaves, and everything isolates\n");
  if (patch !== undefined) {
    const next = proposals.length === 0 ? "nothing is to be changed" : `weir apply --patch ${patch}`;
    console.error(`${proposals.length} proposal(s) in ${patch}: ${next}`);
  } else if (proposals.length > 0) console.error(`${proposals.length} proposal(s): --patch FILE writes them`);
}

const number = (value: number): string => (value >= 100 ? value.toFixed(0) : Number(value.toFixed(1)).toString());

function tenantCells({ demand, standing, throttledRatio, recommended, inForce }: SizedTenant): string[] {
  const limits = inForce?.buckets.map(({ ratePerSecond, burstTokens }) => `${number(ratePerSecond)}/${burstTokens}`);
  return [
    demand.tenant,
    inForce?.plan ?? "",
    number(demand.p50),
    number(demand.p95),
    number(demand.p99),
    number(demand.peakTokens),
    throttledRatio === 0 ? "0%" : colour.yellow(`${number(throttledRatio * 100)}%`),
    `${recommended.ratePerSecond}/s`,
    String(recommended.burstTokens),
    String(recommended.concurrency),
    [...(limits ?? []), ...(inForce?.concurrency === undefined ? [] : [`${inForce.concurrency.slots} at once`])].join(
      " ",
    ),
    standing === "noisy" ? colour.red(standing) : standing,
  ];
}

const originCells = ({ demand, recommendedConcurrency, inForce }: SizedOrigin): string[] => [
  demand.origin,
  number(demand.p50),
  number(demand.p95),
  number(demand.p99),
  number(demand.concurrencyP99),
  String(demand.shed),
  String(recommendedConcurrency),
  String(inForce?.concurrency?.slots ?? ""),
  String(inForce?.perTenant?.slots ?? ""),
];

const TITLES = {
  noisy: "noisy",
  "throttles-well-behaved": "throttles who behaves",
  "isolates-nobody": "isolates nobody",
} as const;

function findingText({ kind, place, tenants, why }: Finding): string {
  const shown = tenants.length > 5 ? `${tenants.slice(0, 5).join(", ")}, …` : tenants.join(", ");
  const about = [place?.join("."), shown].filter((part) => part !== undefined && part !== "").join(": ");
  return `${colour.bold(TITLES[kind])}  ${about}\n  ${why}`;
}
