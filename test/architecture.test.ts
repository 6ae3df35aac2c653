/** House rules as tests: who may import whom (.dependency-cruiser.cjs), and that the rules were really applied. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cruise, type ICruiseOptions, type ICruiseResult } from "dependency-cruiser";
import extractTSConfig from "dependency-cruiser/config-utl/extract-ts-config";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const require = createRequire(import.meta.url);
const { forbidden, options } = require("../.dependency-cruiser.cjs") as {
  forbidden: NonNullable<ICruiseOptions["ruleSet"]>["forbidden"];
  options: ICruiseOptions;
};

async function cruiseTree(baseDir: string, folders: string[]): Promise<ICruiseResult> {
  const { output } = await cruise(
    folders,
    { ...options, baseDir, validate: true, ruleSet: { forbidden: forbidden ?? [] } },
    undefined,
    { tsConfig: extractTSConfig("tsconfig.json") },
  );
  if (typeof output === "string") throw new TypeError("expected a result object");
  return output;
}

const violationsOf = (result: ICruiseResult): string[] =>
  result.summary.violations.map((violation) => `${violation.rule.name}: ${violation.from} -> ${violation.to}`);

const sources = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts"))
    .map((entry) => join(entry.parentPath, entry.name));

describe("a sample that breaks the rules", () => {
  let sample: string;
  beforeAll(async () => {
    sample = await mkdtemp(join(tmpdir(), "weir-architecture-"));
    const files: Record<string, string> = {
      "src/policy/limits/a.ts": 'import { b } from "../cache/b.ts";\nexport const a = b;\n',
      "src/policy/cache/b.ts": 'import { c } from "../../edge/c.ts";\nexport const b = c;\n',
      "src/edge/c.ts": 'import { d } from "../coordinators/d.ts";\nexport const c = d;\n',
      "src/coordinators/d.ts": 'import { e } from "../http/e.ts";\nexport const d = e;\n',
      "src/http/e.ts": 'import { c } from "../edge/c.ts";\nexport const e = () => c;\n',
      "cli/f.ts": 'import { c } from "../src/edge/c.ts";\nexport const f = c;\n',
      "ui/g.tsx": 'import { c } from "../src/edge/c.ts";\nexport const g = c;\n',
    };
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(sample, name, ".."), { recursive: true });
      await writeFile(join(sample, name), text);
    }
  });
  afterAll(() => rm(sample, { recursive: true }));

  it("is found to break each of them", async () => {
    const result = await cruiseTree(sample, ["src", "cli", "ui"]);
    const broken = new Set(result.summary.violations.map((violation) => violation.rule.name));
    expect([...broken].sort()).toEqual(
      [
        "cli-knows-the-contract",
        "coordinators-from-elsewhere-as-types",
        "http-knows-only",
        "no-cycles",
        "policy-capabilities-share-types-only",
        "policy-knows-only-policy",
        "ui-knows-the-contract",
      ].sort(),
    );
  });
});

describe("the project", () => {
  it("keeps the rules, and every source file was read", async () => {
    const result = await cruiseTree(".", ["src", "cli", "ui"]);
    expect(violationsOf(result)).toEqual([]);
    const read = new Set(result.modules.map((module) => module.source));
    expect([...sources("src"), ...sources("cli"), ...sources("ui")].filter((file) => !read.has(file))).toEqual([]);
  });

  it("keeps the pipeline and the Worker's face small", () => {
    const lines = (file: string): number => readFileSync(file, "utf8").split("\n").length;
    expect(lines("src/edge/pipeline.ts")).toBeLessThan(120);
    expect(lines("src/worker.ts")).toBeLessThan(60);
  });

  it("has no module-level state outside the Worker's face", () => {
    const offenders = sources("src")
      .filter((file) => file !== join("src", "worker.ts"))
      .filter((file) => /^(export )?(let|var) /m.test(readFileSync(file, "utf8")));
    expect(offenders).toEqual([]);
  });

  it("locks the optional packages of every platform, not only of the one it was made on", () => {
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const locked = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/"))));
    const missing = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies).filter((name) => !locked.has(`node_modules/${name}`)),
    );
    expect(missing).toEqual([]);
    expect([...locked].filter((path) => path.startsWith("node_modules/@cloudflare/workerd-"))).toHaveLength(5);
  });

  it("names no registry host and no absolute path of a machine", () => {
    const lock = readFileSync("package-lock.json", "utf8");
    expect(lock).not.toMatch(/"resolved":/);
    const texts = ["package.json", "wrangler.toml", ".ci/run"].map((file) => readFileSync(file, "utf8"));
    for (const text of texts) expect(text).not.toMatch(/registry\.|\/home\/|\/root\//);
  });
});
