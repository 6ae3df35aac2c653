/** `weir cost --rps N --tenants N`: what a month would cost, line by line, with every price and assumption. Offline. */
import { defineCommand } from "citty";
import { suggest } from "../../src/config/suggest.ts";
import { type Cost, costOf, unknownName } from "../cost/model.ts";
import { PLAN_DOLLARS } from "../cost/prices.ts";
import { CliError, EXIT, printJson, printTable } from "../output.ts";

export const costCommand = defineCommand({
  meta: { name: "cost", description: "What a month would cost, with every price and assumption" },
  args: {
    rps: { type: "string", description: "Requests per second, mean over the month", required: true },
    tenants: { type: "string", description: "Tenants that these are spread over", required: true },
    "cached-ratio": {
      type: "string",
      description: "Share answered from the cache without a charge, 0 to 1",
      default: "0",
    },
    set: { type: "string", description: "Replace assumptions and prices: name=value,name=value", default: "" },
    "nothing-included": { type: "boolean", description: "What the plan includes is used up elsewhere", default: false },
    json: { type: "boolean", description: "Print JSON", default: false },
  },
  run({ args }) {
    const traffic = {
      rps: number("rps", args.rps, 0.001, 10_000_000),
      tenants: number("tenants", args.tenants, 1, 10_000_000),
      cachedRatio: number("cached-ratio", args["cached-ratio"], 0, 1),
    };
    const cost = costOf(traffic, overridesOf(args.set), !args["nothing-included"]);
    if (args.json) printJson({ traffic, ...cost });
    else printCost(cost);
    return EXIT.ok;
  },
});

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  throw new CliError(`--${name} must be a number from ${least} to ${most}, not "${text}"`, EXIT.usage);
}

function overridesOf(text: string): ReadonlyMap<string, number> {
  const overrides = new Map<string, number>();
  for (const pair of text === "" ? [] : text.split(",")) {
    const [name = "", value = ""] = pair.split("=", 2);
    overrides.set(name.trim(), number(`set ${name}`, value, 0, Number.MAX_SAFE_INTEGER));
  }
  const wrong = unknownName(overrides);
  if (wrong !== undefined)
    throw new CliError(`--set: unknown name "${wrong.unknown}"${suggest(wrong.unknown, wrong.known)}`, EXIT.usage);
  return overrides;
}

function printCost(cost: Cost): void {
  const amount = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 3 });
  printTable([
    ["", "A MONTH", "INCLUDED", "PRICE", "COST", "BECAUSE"],
    ["Workers Paid plan", "", "", "", `$${PLAN_DOLLARS.toFixed(2)}`, ""],
    ...cost.lines.map(({ id, what, quantity, unit, included, dollars, because }) => {
      const { dollars: price, per } = cost.prices[id];
      const each = per === 1 ? unit : `million ${unit}`;
      return [
        what,
        `${amount(quantity)} ${unit}`,
        amount(included),
        `$${price} per ${each}`,
        `$${dollars.toFixed(2)}`,
        because,
      ];
    }),
    [
      "Together",
      "",
      "",
      "",
      `$${cost.monthlyDollars.toFixed(2)}`,
      `$${cost.dollarsPerMillionRequests} per million requests`,
    ],
  ]);
  process.stdout.write("\nAssumptions (replace them with --set name=value):\n");
  printTable(cost.assumptions.map(({ name, value, unit, why }) => [`  ${name}`, `${amount(value)} ${unit}`, why]));
  process.stdout.write("\nA month has 30 days. Traffic is even; prices are published ones and may have changed.\n");
}
