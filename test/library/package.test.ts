/** The package as a consumer gets it: packed, put into a folder of its own, and the example built upon it. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { parse } from "smol-toml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WORKER_BUNDLE } from "../../local/build-worker.ts";
import { freePorts } from "../../local/ports.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Outcome, send } from "../support/traffic.ts";

const execute = promisify(execFile);
const folder = temporaryFolder();
const example = join(folder.path, "hono-worker");
const modules = join(example, "node_modules");
let tarball = "";

/** With the project's own Node, whatever the system's is. */
const node = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  execute(process.execPath, args, { cwd: example });
const bin = (path: string): string => resolve("node_modules", path);

beforeAll(async () => {
  const { stdout } = await execute("npm", ["pack", "--json", "--silent", "--pack-destination", folder.path]);
  const packed = JSON.parse(stdout) as Record<string, { filename: string }> | { filename: string }[];
  tarball = join(folder.path, Object.values(packed)[0]?.filename ?? "");
  cpSync("examples/hono-worker", example, { recursive: true });
  mkdirSync(modules, { recursive: true });
  await execute("tar", ["-xzf", tarball, "-C", modules]);
  await execute("mv", [join(modules, "package"), join(modules, "weir")]);
  // What `npm install` would fetch, from here: no test needs the network.
  const { dependencies, peerDependencies } = JSON.parse(readFileSync("package.json", "utf8")) as Record<
    "dependencies" | "peerDependencies",
    Record<string, string>
  >;
  for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), "@cloudflare/workers-types"]) {
    mkdirSync(join(modules, name, ".."), { recursive: true });
    symlinkSync(resolve("node_modules", name), join(modules, name));
  }
}, 60_000);
afterAll(() => {
  folder.remove();
});

describe("the package", () => {
  it("is found without fault by publint and by Are The Types Wrong", async () => {
    expect((await node(bin("publint/src/cli.js"), tarball, "--strict")).stdout).toContain("All good!");
    const types = await node(
      bin("@arethetypeswrong/cli/dist/index.js"),
      tarball,
      "--profile",
      "esm-only",
      "-f",
      "json",
    );
    const { problems } = JSON.parse(types.stdout) as { problems: Record<string, { resolutionKind?: string }[]> };
    // ESM alone, and found by `exports`: there is nothing for CommonJS, nor for the resolution of Node 10.
    const ours = Object.values(problems).flat();
    expect(ours.filter(({ resolutionKind }) => !["node10", "node16-cjs"].includes(resolutionKind ?? ""))).toEqual([]);
  });

  it("holds no sources, no tests and no secrets, and a command line that runs", async () => {
    const { stdout } = await execute("tar", ["-tzf", tarball]);
    const top = new Set(
      stdout
        .trim()
        .split("\n")
        .map((path) => path.split("/").slice(1, 3).join("/")),
    );
    expect(
      [...top].filter((path) => !/^(dist\/(src|cli)|package\.json|README\.md|LICENSE|weir\.schema\.json)$/.test(path)),
    ).toEqual([]);
    writeFileSync(join(folder.path, "bad.jsonc"), "{}");
    const weir = join(modules, "weir", "dist", "cli", "weir.js");
    const help = await node(weir, "--help");
    expect(help.stdout).toContain("validate");
    await expect(node(weir, "validate", "--config", join(folder.path, "bad.jsonc"))).rejects.toMatchObject({ code: 1 });
  });

  it("leaves out of a bundle what a Worker does not use", async () => {
    const entry = join(example, "src", "only-limits.ts");
    writeFileSync(entry, 'export { limits } from "weir/hono";\n');
    const { metafile } = await build({ ...WORKER_BUNDLE, entryPoints: [entry], metafile: true });
    const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
    const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
    expect(used.some((path) => path.endsWith("src/edge/stages/admit.js"))).toBe(true);
    expect(used.filter((path) => /src\/(coordinators|admin)\/|src\/hono\/(breaker|gateway)/.test(path))).toEqual([]);
  });
});

interface WranglerFile {
  readonly compatibility_date: string;
  readonly compatibility_flags: string[];
  readonly durable_objects: { readonly bindings: { name: string; class_name: string }[] };
}

describe("the example", () => {
  const origin = new BrokenOrigin();
  let worker: Miniflare;
  let url = "";

  beforeAll(async () => {
    await origin.start();
    const config = join(example, "src", "config.ts");
    writeFileSync(config, readFileSync(config, "utf8").replace("https://shop.example", origin.url));
    const bundle = await build({ ...WORKER_BUNDLE, entryPoints: [join(example, "src", "index.ts")] });
    const wrangler = parse(readFileSync(join(example, "wrangler.toml"), "utf8")) as unknown as WranglerFile;
    const port = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    worker = new Miniflare(
      convertV4MiniflareOptions({
        name: "example",
        compatibilityDate: wrangler.compatibility_date,
        compatibilityFlags: wrangler.compatibility_flags,
        modules: [{ type: "ESModule", path: "index.js", contents: bundle.outputFiles[0]?.text ?? "" }],
        durableObjects: Object.fromEntries(
          wrangler.durable_objects.bindings.map(({ name, class_name: className }) => [
            name,
            { className, useSQLite: true },
          ]),
        ),
        cf: false,
        unsafeDirectSockets: [{ host: "127.0.0.1", port }],
      }),
    );
    await worker.ready;
  }, 60_000);
  afterAll(async () => {
    await worker.dispose();
    await origin.kill();
  });

  const call = (path: string, token?: string): Promise<Outcome> =>
    send(undefined, url + path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  const json = ({ body }: Outcome): Record<string, unknown> => JSON.parse(body) as Record<string, unknown>;

  it("is typed: the variables are known, and a wrong name is an error", async () => {
    await node(bin("typescript/bin/tsc"), "-p", example);
    const wrong = join(example, "src", "wrong.ts");
    writeFileSync(
      wrong,
      'import { Hono } from "hono";\n' +
        'import { limits, type LimitsBindings, type LimitsVariables } from "weir/hono";\n' +
        'import { config } from "./config.ts";\n' +
        "const app = new Hono<{ Bindings: LimitsBindings; Variables: LimitsVariables }>();\n" +
        "app.use(limits({ config, tenant: () => 7 }));\n" +
        'app.get("/", (c) => c.text(c.var.weir.tenantt));\n' +
        'app.get("/", (c) => c.var.weir.fetch("/"));\n',
    );
    const failed = (await node(bin("typescript/bin/tsc"), "-p", example, "--skipLibCheck").catch(
      (error: unknown) => error,
    )) as {
      stdout: string;
    };
    expect(failed.stdout).toMatch(/wrong\.ts\(5,.*number/);
    expect(failed.stdout).toMatch(/wrong\.ts\(6,.*'tenantt'/);
    expect(failed.stdout).toMatch(/wrong\.ts\(7,.*'fetch'/);
  });

  it("holds its limits: what a plan allows is admitted, the rest is 429 with the gateway's headers", async () => {
    expect((await call("/")).status).toBe(200);
    const outcomes: Outcome[] = [];
    for (let index = 0; index < 14; index++) outcomes.push(await call("/api/hello", "demo-visitor"));
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 10 }, () => 200),
      ...Array.from({ length: 4 }, () => 429),
    ]);
    const [first] = outcomes as [Outcome];
    const last = outcomes[13] ?? first;
    expect(json(first)).toMatchObject({ hello: "visitor", remaining: 9 });
    expect(first.headers).toMatchObject({ "ratelimit-policy": '"requests";q=10;w=600' });
    expect(String(first.headers["ratelimit"])).toMatch(/^"requests";r=9;t=\d+$/);
    expect(last.headers).toMatchObject({ "content-type": "application/problem+json" });
    expect(Number(last.retryAfter)).toBeGreaterThan(0);
    expect(String(last.headers["ratelimit"])).toMatch(/^"requests";r=0;t=\d+$/);
    expect(json(last)).toMatchObject({ status: 429, "violated-policies": ["requests"] });
  });

  it("charges what the application says, each tenant for itself, and refuses a tenant nobody knows", async () => {
    const before = Number(json(await call("/api/hello", "demo-acme"))["remaining"]);
    expect(before).toBeLessThan(200);
    let warm: unknown;
    await waitUntil("a lease is here", 5_000, async () => {
      const report = json(await call("/api/report", "demo-acme"));
      expect(report).toMatchObject({ limits: [{ name: "requests", quota: 200 }] });
      warm = report["decidedBy"];
      return warm === "lease";
    });
    // 1 token a minute: three reports of 5 are one more than a bucket of 10 holds.
    const visitors = await Promise.all(Array.from({ length: 3 }, () => call("/api/report", "demo-visitor2")));
    expect(visitors.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 200, 429]);
    expect((await call("/api/hello", "somebody")).status).toBe(403);
  });

  it("opens its breaker: a dead origin is soon not called any more, and is called again when it is back", async () => {
    const shop = (): Promise<Outcome> => call("/api/shop/items/7", "demo-acme");
    const healthy = await shop();
    expect([healthy.status, healthy.served]).toEqual([200, "origin"]);
    expect(origin.arrivals.at(-1)).toMatchObject({ path: "/items/7", headers: { "weir-attempt": "1" } });
    expect(origin.arrivals.at(-1)?.headers).not.toHaveProperty("authorization");

    origin.mode = "reset";
    let refused: Outcome | undefined;
    const calledBy = async (calls: number): Promise<number> => {
      const arrived = origin.arrivals.length;
      const outcomes = await Promise.all(Array.from({ length: calls }, shop));
      expect(outcomes.filter(({ status, served }) => status !== 503 || served !== "fallback")).toEqual([]);
      refused = outcomes.find(({ headers }) => String(headers["proxy-status"]).includes("destination_unavailable"));
      return origin.arrivals.length - arrived;
    };
    // One quiet moment may be the throttle's, before the breaker opens.
    let quiet = 0;
    await waitUntil("the breaker is open", 15_000, async () => {
      quiet = (await calledBy(20)) <= 1 ? quiet + 1 : 0;
      return quiet === 3;
    });
    expect(await calledBy(20)).toBeLessThanOrEqual(1);
    expect(Number(refused?.retryAfter)).toBeGreaterThan(0);

    origin.mode = "ok";
    await waitUntil("the origin answers again", 20_000, async () => (await shop()).served === "origin");
  });

  it("needs nothing that is not in its folder", () => {
    expect(existsSync(join(modules, "weir", "src"))).toBe(false);
  });
});
