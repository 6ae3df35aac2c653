/** Checks of what is on this machine: Node, the config and its schema, wrangler.toml, .dev.vars. No network. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatProblem, type LoadResult } from "../../src/config/load.ts";
import { jsonSchema } from "../../src/config/schema.ts";
import { isLocalUrl } from "../local-url.ts";
import { DEV_VARS, MIN_SECRET_LENGTH, readDevVars, type SecretName } from "../secrets.ts";
import { bindingProblems, type Environment, type WranglerFile } from "../wrangler-file.ts";
import { type Finding, ok, skipped, warning, wrong } from "./finding.ts";

/** As `engines` in package.json says. */
const LEAST_NODE_MAJOR = 20;

export function checkNode(version = process.versions.node): Finding {
  return Number(version.split(".", 1)[0]) >= LEAST_NODE_MAJOR
    ? ok("node", version)
    : wrong("node", version, `install Node ${LEAST_NODE_MAJOR} or later`);
}

export function* checkConfig(path: string, result: LoadResult): Generator<Finding> {
  if (!result.ok) {
    const [first] = result.problems;
    const found = `${result.problems.length} problem(s), the first: ${first === undefined ? "" : formatProblem(path, first)}`;
    yield wrong("config", found, `weir validate --config ${path}`);
    return;
  }
  const { origins, tenants, routes } = result.config;
  yield ok("config", `${path}: ${origins.length} origin(s), ${tenants.length} tenant(s), ${routes.length} route(s)`);
  for (const problem of result.warnings) {
    yield warning("config", formatProblem(path, problem), "see docs/limits.md and docs/outages.md");
  }
  const local = origins.filter(({ url }) => isLocalUrl(url)).map(({ id }) => id);
  if (local.length > 0) {
    yield warning(
      "config",
      `on this machine: ${local.join(", ")}`,
      "before a deploy, give these origins a url that the edge can reach",
    );
  }
}

export function checkSchema(configPath: string): Finding {
  const path = join(dirname(configPath), "weir.schema.json");
  if (!existsSync(path)) return skipped("schema", `no ${path}`, "editors complete the config with it; see README.md");
  return readFileSync(path, "utf8").trim() === JSON.stringify(jsonSchema(), null, 2)
    ? ok("schema", `${path} is current`)
    : wrong("schema", `${path} is of another version`, "npm run schema, or copy the one of the package");
}

export function* checkBindings(path: string, file: WranglerFile): Generator<Finding> {
  if (file.kind === "missing") {
    yield wrong("bindings", `no ${path}`, "run this where wrangler.toml is, or name it with --wrangler");
    return;
  }
  if (file.kind === "broken") {
    yield wrong("bindings", `${path}: ${file.problem}`, "mend the file; wrangler cannot read it either");
    return;
  }
  const [production] = file.environments;
  if (production === undefined) return;
  for (const environment of file.environments) {
    const check = `bindings ${nameOf(environment)}`;
    const problems = bindingProblems(environment.part, production.part);
    const where = environment.name === "" ? "" : ` under [env.${environment.name}]: environments inherit no bindings`;
    if (problems.length === 0) yield ok(check, "all there, each class with its migration");
    for (const problem of problems) yield wrong(check, problem, `add it to ${path}${where}`);
  }
}

export const nameOf = ({ name }: Environment): string => (name === "" ? "production" : name);

export function* checkLocalSecrets(names: readonly SecretName[]): Generator<Finding> {
  const check = `secrets ${DEV_VARS}`;
  if (!existsSync(DEV_VARS)) {
    yield skipped(check, "there is none", "npm start makes its own; weir init --only-secrets makes the file");
    return;
  }
  const values = readDevVars();
  const bad = names.filter((name) => (values[name] ?? "").length < MIN_SECRET_LENGTH);
  if (bad.length > 0) {
    yield wrong(
      check,
      `missing or shorter than ${MIN_SECRET_LENGTH}: ${bad.join(", ")}`,
      "remove these lines, then: weir init --only-secrets",
    );
  } else yield ok(check, `${names.join(", ")} are long enough`);
  if (process.platform !== "win32" && (statSync(DEV_VARS).mode & 0o077) !== 0) {
    yield warning(check, "others on this machine can read it", `chmod 600 ${DEV_VARS}`);
  }
}
