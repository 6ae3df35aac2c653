/** `weir init`, `build`, `cost`, `completion`, `doctor`, and what is said about a wrong line: through the real binary. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXAMPLES } from "../../cli/examples.ts";
import { json } from "../support/command-line.ts";
import { temporaryFolder } from "../support/gateway.ts";
import { type Finished, run } from "../support/process.ts";

let folder = temporaryFolder();
beforeEach(() => {
  folder.remove();
  folder = temporaryFolder();
});
afterAll(() => {
  folder.remove();
});

const NO_GATEWAY = { WEIR_URL: "", WEIR_TOKEN: "" };
const weir = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> =>
  run("cli/weir.ts", args, { ...NO_GATEWAY, ...env }, folder.path);
const at = (name: string): string => join(folder.path, name);

describe("weir init", () => {
  it("writes a valid config and secrets only their owner can read, and shows none of them", async () => {
    const done = await weir(["init", "--origin", "https://shop.example", "--tenant", "globex"]);
    expect([done.code, done.stderr]).toEqual([0, ""]);
    expect((await weir(["validate"])).stdout).toBe("weir.jsonc is valid: 1 origin(s), 1 tenant(s), 2 route(s)\n");
    expect(statSync(at(".dev.vars")).mode & 0o777).toBe(0o600);
    const secrets = readFileSync(at(".dev.vars"), "utf8").match(/^\w+=(\S{43})$/gm);
    expect(secrets).toHaveLength(2);
    for (const secret of secrets ?? []) expect(done.stdout).not.toContain(secret.split("=")[1]);
    expect(done.stdout).toContain('openssl rand -base64 32 | npx wrangler secret put WEIR_KEY_SECRET --env=""');
    expect(done.stdout).toContain("npm run deploy");
  });

  it("overwrites no config without --force, keeps secrets that are there, and keeps the config before", async () => {
    writeFileSync(at("weir.jsonc"), "mine");
    writeFileSync(
      at(".dev.vars"),
      "OTHER=1\nWEIR_KEY_SECRET=kept-kept-kept-kept-kept-kept-kept-1\nWEIR_ADMIN_TOKEN=\n",
    );
    const refused = await weir(["init", "--origin", "https://shop.example"]);
    expect([refused.code, refused.stderr]).toEqual([4, "error: weir.jsonc is there already; --force overwrites it\n"]);
    expect(readFileSync(at("weir.jsonc"), "utf8")).toBe("mine");

    const forced = await weir(["init", "--force", "--json"]);
    expect(json(forced)).toMatchObject({
      config: "weir.jsonc",
      secretsFile: ".dev.vars",
      secretsMade: ["WEIR_ADMIN_TOKEN"],
    });
    expect(readFileSync(at("weir.jsonc.before"), "utf8")).toBe("mine");
    expect(readFileSync(at(".dev.vars"), "utf8")).toMatch(
      /^OTHER=1\nWEIR_KEY_SECRET=kept-kept-kept-kept-kept-kept-kept-1\n+WEIR_ADMIN_TOKEN=\S{43}\n$/,
    );
  });

  it("leaves nothing behind when the answers make no valid config, and asks nothing without a terminal", async () => {
    const wrong = await weir(["init", "--tenant", "No Such Name"]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("must be 1 to 64 of a-z")]);
    const url = await weir(["init", "--origin", "shop"]);
    expect([url.code, url.stderr]).toEqual([2, expect.stringContaining('an http(s) URL is needed, not "shop"')]);
    expect((await weir(["validate"])).stderr).toContain("cannot read the config file weir.jsonc");
    expect((await weir(["init", "--no-secrets"])).code).toBe(0);
    expect(() => statSync(at(".dev.vars"))).toThrow();
  });
});

describe("weir build", () => {
  it("makes a module of the config, with types for a Worker that imports it", async () => {
    await weir(["init", "--no-secrets", "--origin", "https://shop.example"]);
    const out = ["--out", "made/config.js"];
    expect(json(await weir(["build", ...out, "--types", "--json"]))).toMatchObject({
      built: true,
      out: "made/config.js",
    });
    const { default: config } = (await import(at("made/config.js"))) as { default: { hash: string } };
    expect(config.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(at("made/config.d.ts"), "utf8")).toContain('from "weir/config"');
    writeFileSync(at("weir.jsonc"), "{}");
    expect((await weir(["build", ...out])).code).toBe(1);
  });
});

describe("weir cost", () => {
  const cost = async (...args: string[]): Promise<Record<string, unknown>> => {
    const finished = await weir(["cost", ...args, "--json"]);
    expect(finished.code).toBe(0);
    return json(finished);
  };
  interface Line {
    readonly id: string;
    readonly quantity: number;
    readonly included: number;
    readonly dollars: number;
  }
  const linesOf = (result: Record<string, unknown>): Map<string, Line> =>
    new Map((result["lines"] as Line[]).map((line) => [line.id, line]));

  it("adds up: each line is its quantity beyond what is included at its price, and their sum is the total", async () => {
    const result = await cost("--rps", "100", "--tenants", "10");
    const prices = result["prices"] as Record<string, { dollars: number; per: number }>;
    let sum = 5;
    for (const { id, quantity, included, dollars } of linesOf(result).values()) {
      const price = prices[id] ?? { dollars: Number.NaN, per: 1 };
      expect(dollars).toBeCloseTo((Math.max(0, quantity - included) / price.per) * price.dollars, 1);
      sum += dollars;
    }
    expect(result["monthlyDollars"]).toBeCloseTo(sum, 1);
    expect(linesOf(result).get("requests")?.quantity).toBe(100 * 30 * 86_400);
    const names = (result["assumptions"] as { name: string; why: string }[]).map(({ name, why }) => [
      name,
      why.length > 0,
    ]);
    expect(names).toContainEqual(["leaseCallsPerRequest", true]);
  });

  it("takes assumptions and prices from the line, and says which there are", async () => {
    const traffic = ["--rps", "100", "--tenants", "10"];
    const [base, other, unknown, wrong, missing, people] = await Promise.all([
      cost(...traffic),
      cost(...traffic, "--cached-ratio", "1", "--set", "isolatesPerTenant=0,requests=0", "--nothing-included"),
      weir(["cost", ...traffic, "--set", "isolate=2"]),
      weir(["cost", "--rps", "fast", "--tenants", "1"]),
      weir(["cost", "--tenants", "1"]),
      weir(["cost", ...traffic]),
    ]);
    const lines = linesOf(other);
    expect(lines.get("objectRequests")!.quantity).toBeLessThan(linesOf(base).get("objectRequests")!.quantity);
    expect(lines.get("requests")).toMatchObject({ included: 0, dollars: 0 });
    expect(lines.get("cpu")!.dollars).toBeGreaterThan(linesOf(base).get("cpu")!.dollars);
    expect(other["assumptions"]).toContainEqual(
      expect.objectContaining({ name: "isolatesPerTenant", value: 0, why: "given with --set" }),
    );
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('did you mean "isolates"?')]);
    expect([wrong.code, missing.code]).toEqual([2, 2]);
    expect(people.stdout).toContain(`$${Number(base["monthlyDollars"]).toFixed(2)}`);
  });
});

describe("weir completion", () => {
  const completed = (...words: string[]): string[] => {
    const script = `source ${at("weir.bash")}; COMP_WORDS=(weir ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _weir; echo "\${COMPREPLY[*]}"`;
    return execFileSync("bash", ["-c", script], { encoding: "utf8" }).trim().split(" ");
  };

  it("completes commands, their commands, and options in a real bash", async () => {
    writeFileSync(at("weir.bash"), (await weir(["completion", "bash"])).stdout);
    expect(completed("va")).toEqual(["validate"]);
    expect(completed("overrides", "")).toEqual(["set", "list", "remove", "--help"]);
    expect(completed("keys", "create", "acme", "--la")).toEqual(["--label"]);
    expect(completed("doctor", "--or")).toEqual(["--origins"]);
  });

  it("knows every command in each shell, and says which shells there are", async () => {
    const scripts = await Promise.all(["bash", "zsh", "fish"].map((shell) => weir(["completion", shell, "--json"])));
    for (const finished of scripts) {
      const { script } = json(finished) as { script: string };
      for (const path of Object.keys(EXAMPLES)) expect(script).toContain(`"${path}"`);
    }
    const other = await weir(["completion", "tcsh"]);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("bash, zsh, fish")]);
  });
});

describe("weir doctor", () => {
  interface Check {
    readonly check: string;
    readonly result: string;
    readonly found: string;
    readonly todo: string;
  }
  const examine = async (args: string[] = [], env: Record<string, string> = {}) => {
    const finished = await weir(["doctor", "--json", ...args], env);
    const { ok, checks } = json(finished) as { ok: boolean; checks: Check[] };
    const of = (name: string): Check[] => checks.filter(({ check }) => check === name);
    return { code: finished.code, ok, of, wrong: checks.filter(({ result }) => result === "wrong") };
  };
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  const serve = (answer: (path: string) => { status: number; headers?: Record<string, string>; body?: string }) =>
    new Promise<string>((listening) => {
      const server = createServer((request, response) => {
        const { status, headers = {}, body = "" } = answer(request.url ?? "");
        response.writeHead(status, headers).end(body);
      });
      servers.push(server);
      server.listen(0, "127.0.0.1", () => {
        listening(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      });
    });
  const begin = async (origin: string): Promise<void> => {
    for (const file of ["wrangler.toml", "weir.schema.json"]) cpSync(resolve(file), at(file));
    expect((await weir(["init", "--origin", origin])).code).toBe(0);
  };

  it("finds nothing wrong in a folder that init made, and leaves the machine only when asked", async () => {
    await begin("https://shop.invalid");
    const { code, ok, of, wrong } = await examine();
    expect([code, ok, wrong]).toEqual([0, true, []]);
    expect(of("bindings production")[0]?.result).toBe("ok");
    expect(of("bindings staging")[0]?.result).toBe("ok");
    expect(of("schema")[0]?.result).toBe("ok");
    expect(of("origin app")[0]).toMatchObject({ result: "skipped", todo: expect.stringContaining("--origins") });
    const remote = await examine([], { WEIR_URL: "https://weir.invalid", WEIR_TOKEN: "x" });
    expect(remote.of("gateway")[0]).toMatchObject({ result: "skipped", todo: expect.stringContaining("--deployed") });
  });

  it("names each binding that an environment lacks, because it inherits none", async () => {
    await begin("https://shop.invalid");
    const text = readFileSync(at("wrangler.toml"), "utf8");
    const staging = text.indexOf("[env.staging]");
    const kept = text
      .slice(staging)
      .replace(/\[\[env\.staging\.durable_objects\.bindings\]\]\nname = "ORIGIN"\nclass_name = "Origin"\n/, "");
    const broken = kept
      .replace(/\[\[env\.staging\.kv_namespaces\]\]\nbinding = "SNAPSHOTS"\n/, "")
      .replace('"Metrics"]', "]");
    writeFileSync(at("wrangler.toml"), text.slice(0, staging) + broken);
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(of("bindings production").map(({ result }) => result)).toEqual(["ok"]);
    expect(of("bindings staging").map(({ found }) => found)).toEqual([
      "the Durable Object binding ORIGIN (class Origin) is missing",
      "the KV binding SNAPSHOTS, which production has, is missing",
      "no migration makes the class Metrics (new_sqlite_classes)",
    ]);
    expect(of("bindings staging")[0]?.todo).toContain("environments inherit no bindings");
    writeFileSync(at("wrangler.toml"), "[broken");
    expect((await examine()).of("bindings")[0]).toMatchObject({ result: "wrong" });
  });

  it("says what is wrong with config, schema and secrets", async () => {
    await begin("https://shop.invalid");
    writeFileSync(at("weir.jsonc"), '{ "version": 2 }');
    writeFileSync(at("weir.schema.json"), "{}");
    writeFileSync(at(".dev.vars"), "WEIR_KEY_SECRET=short\nWEIR_ADMIN_TOKEN=short\n");
    chmodSync(at(".dev.vars"), 0o644);
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(of("config")[0]).toMatchObject({ result: "wrong", todo: "weir validate --config weir.jsonc" });
    expect(of("schema")[0]).toMatchObject({ result: "wrong" });
    expect(of("secrets .dev.vars").map(({ result }) => result)).toEqual(["wrong", "warning"]);
    const people = await weir(["doctor"]);
    expect([people.code, people.stderr]).toEqual([1, "3 thing(s) to mend\n"]);
    expect(people.stdout).toMatch(/^wrong {3}schema .*\n +-> npm run schema/m);
  });

  it("asks a gateway and origins on this machine: are they ready, is the clock right, is the file in force", async () => {
    let status = 200;
    const origin = await serve(() => ({ status }));
    let behindMs = 0;
    const gateway = await serve((path) =>
      path.endsWith("/readyz")
        ? { status: 200, headers: { date: new Date(Date.now() - behindMs).toUTCString() } }
        : { status: 200, body: JSON.stringify({ configVersion: 1, configHash: "another" }) },
    );
    await begin(origin);
    const env = { WEIR_URL: gateway, WEIR_TOKEN: "x".repeat(32) };
    const good = await examine([], env);
    expect([good.code, good.of("origin app")[0]?.result, good.of("clock")[0]?.result]).toEqual([0, "ok", "ok"]);
    expect(good.of("config in force")[0]).toMatchObject({
      result: "warning",
      todo: expect.stringContaining("weir diff"),
    });

    status = 503;
    behindMs = 3_600_000;
    const bad = await examine([], env);
    expect(bad.wrong.map(({ check }) => check)).toEqual(["clock", "origin app"]);
    const nobody = await examine([], { ...env, WEIR_URL: "http://127.0.0.1:9" });
    expect(nobody.of("gateway")[0]).toMatchObject({ result: "wrong", found: expect.stringContaining("127.0.0.1:9") });
  });

  it("asks wrangler for the names of the deployment's secrets only with --deployed", async () => {
    await begin("https://shop.invalid");
    mkdirSync(at("node_modules/.bin"), { recursive: true });
    const fake = at("node_modules/.bin/wrangler");
    writeFileSync(fake, `#!/bin/sh\necho "$@" >> called\necho '[{"name":"WEIR_KEY_SECRET","type":"secret_text"}]'\n`);
    chmodSync(fake, 0o755);
    await examine();
    expect(() => statSync(at("called"))).toThrow();
    const { code, of } = await examine(["--deployed"]);
    expect(code).toBe(1);
    expect(of("secrets staging")[0]).toMatchObject({
      found: "WEIR_ADMIN_TOKEN is not set",
      todo: 'openssl rand -base64 32 | npx wrangler secret put WEIR_ADMIN_TOKEN --env="staging"',
    });
    expect(readFileSync(at("called"), "utf8")).toContain("secret list --format json --env staging");
  });
});

describe.concurrent("a line that is wrong", () => {
  it.each([
    [["valdiate"], 'unknown command "valdiate". Did you mean "validate"?'],
    [["keys", "craete", "acme"], 'unknown command of "keys" "craete". Did you mean "create"?'],
    [["frobnicate"], 'unknown command "frobnicate". Valid: init, validate'],
    [["validate", "--confg", "x"], 'unknown option "--confg". Did you mean "--config"?'],
    [["validate", "--everything"], 'unknown option "--everything". Valid: --config, --json'],
    [["validate", "-c", "x"], 'unknown option "-c"'],
    [["validate", "--config"], "--config needs a value"],
    [["validate", "--config", "--json"], "--config needs a value"],
    [["validate", "extra"], 'unexpected argument "extra"'],
    [["overrides"], "a command is needed: weir overrides set, list, remove"],
    [["keys", "create"], "TENANT"],
  ])("%j ends with 2 and says what was meant", async (args, message) => {
    const finished = await run("cli/weir.ts", args, NO_GATEWAY);
    expect([finished.code, finished.stdout]).toEqual([2, ""]);
    expect(finished.stderr).toContain(message);
    if (args[1] !== "--config") expect(finished.stderr).toContain("USAGE");
  });

  it("is one line of JSON on stderr with --json", async () => {
    const { code, stdout, stderr } = await run("cli/weir.ts", ["status", "--state", "nowhere", "--json"], NO_GATEWAY);
    expect([code, stdout]).toEqual([1, ""]);
    expect(JSON.parse(stderr)).toEqual({ error: expect.stringContaining("npm start"), exitCode: 1 });
  });
});

describe("help and colour", () => {
  it("is there for every command, with examples whose options exist", async () => {
    // The completion's script is made from the commands themselves.
    const { script } = json(await weir(["completion", "bash", "--json"])) as { script: string };
    const places = new Map(
      [...script.matchAll(/^ {4}"([^"]*)"\) words="([^"]*)"/gm)].map(([, path = "", words = ""]) => [
        path,
        words.split(" "),
      ]),
    );
    expect([...places.keys()].filter((path) => EXAMPLES[path] === undefined && !path.startsWith("trial "))).toEqual([]);
    for (const [path, lines] of Object.entries(EXAMPLES)) {
      if (path === "") continue;
      for (const line of lines) {
        const options = [...line.matchAll(/ (--[a-z-]+)/g)].map(([, option = ""]) => option);
        const known = [...places].filter(([place]) => line.includes(`weir ${place}`)).flatMap(([, words]) => words);
        expect(options.filter((option) => !known.includes(option) && option !== "--no-secrets")).toEqual([]);
      }
    }
    const help = await weir(["keys", "create", "--help"]);
    expect([help.code, help.stderr]).toEqual([0, ""]);
    expect(help.stdout).toContain("USAGE weir keys create [OPTIONS] <TENANT>");
    expect(help.stdout).toContain("EXAMPLES\n\n  weir keys create acme --label ci\n");
    expect((await weir(["--help"])).stdout).toContain(
      "Exit codes: 0 ok, 1 error, 2 usage, 3 differences found, 4 refused",
    );
    expect((await weir(["keys", "-h"])).stdout).toContain("revoke");
  });

  it("uses colour only on a terminal or when it is forced, and never against NO_COLOR", async () => {
    const escape = "\u001B[";
    const lines = await Promise.all([
      weir(["doctor"], { NO_COLOR: "" }),
      weir(["--help"], { NO_COLOR: "" }),
      weir(["doctor"], { NO_COLOR: "", FORCE_COLOR: "1" }),
      weir(["doctor"], { NO_COLOR: "1", FORCE_COLOR: "1" }),
      weir(["doctor", "--no-color"], { NO_COLOR: "", FORCE_COLOR: "1" }),
    ]);
    expect(lines.map(({ stdout }) => stdout.includes(escape))).toEqual([false, false, true, false, false]);
  });
});
