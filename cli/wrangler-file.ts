/** What `weir doctor` reads in wrangler.toml: the bindings of each environment, which inherit none. */
import { existsSync, readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { z } from "zod";

const part = z.looseObject({
  durable_objects: z
    .object({ bindings: z.array(z.looseObject({ name: z.string(), class_name: z.string() })) })
    .optional(),
  assets: z
    .looseObject({
      binding: z.string().optional(),
      run_worker_first: z.union([z.boolean(), z.array(z.string())]).optional(),
    })
    .optional(),
  kv_namespaces: z.array(z.looseObject({ binding: z.string() })).optional(),
  migrations: z
    .array(
      z.looseObject({
        tag: z.string(),
        new_sqlite_classes: z.array(z.string()).optional(),
        new_classes: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});
const file = part.extend({ name: z.string().optional(), env: z.record(z.string(), part).optional() });

export type EnvironmentPart = z.infer<typeof part>;

export interface Environment {
  /** "" is the one without a name: production. */
  readonly name: string;
  readonly part: EnvironmentPart;
}

export type WranglerFile =
  | { readonly kind: "read"; readonly environments: readonly Environment[] }
  | { readonly kind: "missing" }
  | { readonly kind: "broken"; readonly problem: string };

export function readWranglerFile(path: string): WranglerFile {
  if (!existsSync(path)) return { kind: "missing" };
  let value: unknown;
  try {
    value = parse(readFileSync(path, "utf8"));
  } catch (error) {
    return {
      kind: "broken",
      problem: (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "",
    };
  }
  const parsed = file.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path: at, message }) => `${at.join(".")}: ${message}`);
    return { kind: "broken", problem: problems.join("; ") };
  }
  const { env = {}, ...production } = parsed.data;
  return {
    kind: "read",
    environments: [
      { name: "", part: production },
      ...Object.entries(env).map(([name, environment]) => ({ name, part: environment })),
    ],
  };
}

/** What is wrong with one environment's bindings; `reference`: what production has, so that the two are the same. */
export function bindingProblems(environment: EnvironmentPart, reference: EnvironmentPart): readonly string[] {
  const problems: string[] = [];
  const classes = new Map(environment.durable_objects?.bindings.map((binding) => [binding.name, binding.class_name]));
  for (const [name, className] of Object.entries(OBJECT_CLASSES)) {
    const found = classes.get(name);
    if (found === undefined) problems.push(`the Durable Object binding ${name} (class ${className}) is missing`);
    else if (found !== className) problems.push(`${name} must be the class ${className}, not ${found}`);
  }
  for (const { name, class_name: className } of reference.durable_objects?.bindings ?? []) {
    if (!classes.has(name) && !Object.hasOwn(OBJECT_CLASSES, name)) {
      problems.push(`the Durable Object binding ${name} (class ${className}), which production has, is missing`);
    }
  }
  const spaces = new Set(environment.kv_namespaces?.map(({ binding }) => binding));
  for (const { binding } of reference.kv_namespaces ?? []) {
    if (!spaces.has(binding)) problems.push(`the KV binding ${binding}, which production has, is missing`);
  }
  const { assets } = environment;
  if (assets === undefined ? reference.assets !== undefined : assets.binding !== "ASSETS") {
    problems.push("[assets] with the binding ASSETS, the dashboard's files, is missing");
  }
  // Else a file goes before a route of the same path, and to whoever asks.
  if (assets !== undefined && assets.run_worker_first !== true) problems.push("[assets] needs run_worker_first = true");
  const migrated = new Set(environment.migrations?.flatMap((migration) => migration.new_sqlite_classes ?? []));
  const notSqlite = new Set(environment.migrations?.flatMap((migration) => migration.new_classes ?? []));
  for (const className of new Set(classes.values())) {
    if (notSqlite.has(className)) problems.push(`${className} is in new_classes: it must be in new_sqlite_classes`);
    else if (!migrated.has(className)) problems.push(`no migration makes the class ${className} (new_sqlite_classes)`);
  }
  return problems;
}

/** Each binding to a Durable Object that a gateway has, with its class. */
export const OBJECT_CLASSES = {
  TENANT: "Tenant",
  ORIGIN: "Origin",
  METRICS: "Metrics",
  CONTROL: "Control",
  TENANT_INDEX: "TenantIndex",
  MONITOR: "Monitor",
} as const;
