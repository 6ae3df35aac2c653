/** Every command through the real binary, against a real gateway. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { commandLine, json, noteGateway, stateOf } from "../support/command-line.ts";
import { configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { type Finished, run } from "../support/process.ts";
import { send } from "../support/traffic.ts";

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

beforeAll(async () => {
  await origin.start();
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: origin.url } },
    identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
    plans: { pro: { limits: { requests: { rate: "1/s", burst: 50 } } } },
    tenants: { acme: { plan: "pro" } },
    routes: [
      { id: "cached", match: { path: "/cached/*" }, origin: "app", cache: { ttl: "1h" } },
      { id: "all", match: { path: "/*" }, origin: "app" },
    ],
  });
  gateway = await startTestGateway(config, { stateDir: join(folder.path, "objects") });
  noteGateway(folder.path, gateway.urls[0]);
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

const weir = commandLine(folder.path);

describe("weir limits", () => {
  it("says what limits a tenant, where that stands, and what is left", async () => {
    const listed = await weir("limits", "acme", "--json");
    expect(listed.code).toBe(0);
    expect(json(listed)).toMatchObject({
      tenant: "acme",
      plan: "pro",
      limits: [
        {
          limit: "requests",
          source: "plans.pro.limits.requests",
          configured: "1/s, burst 50",
          inForce: "1/s, burst 50",
          override: null,
          mode: "enforce",
        },
      ],
    });
    const table = await weir("limits", "acme");
    expect(table.stdout).toMatch(
      /requests +1\/s, burst 50 +\S+ +the tenant +enforce +local +plans\.pro\.limits\.requests/,
    );
    expect((await weir("limits", "nobody")).code).toBe(1);
  });
});

describe("weir overrides", () => {
  it("hold for an active tenant within seconds, are listed, and are taken back", async () => {
    const { stdout: key } = await weir("keys", "create", "acme");
    const headers = { authorization: `Bearer ${key.trim()}` };
    const quotaSeen = async (): Promise<string> =>
      String((await send(undefined, `${gateway.urls[0]}/`, { headers })).headers["ratelimit-policy"]);
    expect(await quotaSeen()).toBe('"requests";q=50;w=50');

    const set = await weir(
      "overrides",
      "set",
      "acme",
      "requests",
      "--burst",
      "200",
      "--for",
      "2h",
      "--reason",
      "launch",
    );
    expect(set).toMatchObject({ code: 0, stderr: "" });
    expect(set.stdout).toMatch(/^requests of acme: 1\/s, burst 200, for another 2 h 0 min, until /);
    await waitUntil("the override is in force", 3_000, async () => (await quotaSeen()) === '"requests";q=200;w=200');
    expect(json(await weir("overrides", "list", "acme", "--json"))).toMatchObject({
      overrides: [{ tenant: "acme", limit: "requests", inForce: "1/s, burst 200", reason: "launch" }],
    });

    expect((await weir("overrides", "remove", "acme", "requests")).code).toBe(0);
    await waitUntil("it is as configured", 3_000, async () => (await quotaSeen()) === '"requests";q=50;w=50');
    expect((await weir("overrides", "remove", "acme", "requests")).code).toBe(1);
  });

  it.each([
    [["nobody", "requests", "--burst", "2", "--for", "1h"], 'Unknown tenant "nobody"; valid: acme'],
    [["acme", "request", "--burst", "2", "--for", "1h"], 'Unknown limit of "acme" "request"; valid: requests'],
    [
      ["acme", "requests", "--quota", "2", "--for", "1h"],
      '"requests" is a token bucket: give rate or burst, found quota',
    ],
    [["acme", "requests", "--burst", "0", "--for", "1h"], '--burst must be a whole number from 1, not "0"'],
    [
      ["acme", "requests", "--burst", "2", "--for", "soon"],
      '--for must be a duration like "30m", "2h", "7d", not "soon"',
    ],
    [["acme", "requests", "--burst", "2", "--for", "91d"], "forMs"],
    [["acme", "requests", "--rate", "fast", "--for", "1h"], 'must be a rate like "200/s", "100/m"'],
  ])("say what is wrong with %j", async (words, message) => {
    const finished = await weir("overrides", "set", ...words, "--reason", "x");
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain(message);
  });
});

describe("weir status", () => {
  it("shows tokens and breakers, as a table and as JSON", async () => {
    const status = json(await weir("status", "--tenant", "acme", "--json"));
    expect(status).toMatchObject({
      tenants: [
        { tenant: "acme", plan: "pro", limits: [{ partition: "requests", kind: "bucket", capacityTokens: 50 }] },
      ],
      origins: [{ origin: "app", state: "closed" }],
    });
    const table = await weir("status");
    expect(table.stdout).toMatch(/TENANT +PLAN +LIMIT +FREE +LEASED +OF\nacme +pro +requests +\d+ +\d+ +50/);
    expect(table.stdout).not.toContain("\u001B[");
  });
});

describe("weir breakers", () => {
  it("trips one by hand, which is in force at once, and resets it", async () => {
    const tripped = await weir("breakers", "trip", "app", "--reason", "drill", "--for", "1m");
    expect(tripped).toMatchObject({ code: 0, stdout: "app is forced open for 1m\n" });
    expect(json(await weir("status", "--json"))).toMatchObject({
      origins: [{ state: "forced-open", forced: { reason: "drill" } }],
    });
    const reset = await weir("breakers", "reset", "app", "--reason", "over", "--json");
    expect(reset.code).toBe(0);
    expect(json(reset)).toMatchObject({ origin: "app", state: "closed", forced: null });
    const history = (await weir("breakers", "history", "app")).stdout.trimEnd().split("\n");
    expect(history[0]).toMatch(/^app is closed; evidence 0\.0, /);
    expect(history.slice(-2)).toEqual([
      expect.stringMatching(/T.*Z +closed +forced-open +drill +0\.0 +0 +\S+/),
      expect.stringMatching(/forced-open +closed +reset: over/),
    ]);
    expect((await weir("breakers", "trip", "app", "--for", "soon")).code).toBe(2);
    expect((await weir("breakers", "trip", "nope")).stderr).toContain("valid: app");
  });
});

describe("weir maintenance", () => {
  it("takes an origin or a route out of service, lists it, and puts it back", async () => {
    const { stdout: key } = await weir("keys", "create", "acme");
    const headers = { authorization: `Bearer ${key.trim()}` };
    const status = async (): Promise<number> => (await send(undefined, `${gateway.urls[0]}/`, { headers })).status;
    expect(await status()).toBe(200);

    const started = await weir(
      "maintenance",
      "start",
      "--origin",
      "app",
      "--for",
      "2h",
      "--allow",
      "10.0.0.0/8, key:0123456789abcdef",
      "--reason",
      "new disks",
    );
    expect(started).toMatchObject({ code: 0, stderr: "" });
    expect(started.stdout).toMatch(/^origin app: now, until \S+Z; passing: 10\.0\.0\.0\/8 key:0123456789abcdef\n$/);
    const took = await waitUntil("it is in force", 5_000, async () => (await status()) === 503);
    expect(took).toBeLessThan(5_000);

    const later = await weir(
      "maintenance",
      "start",
      "--route",
      "all",
      "--for",
      "1h",
      "--from",
      "45m",
      "--page-only",
      "--json",
    );
    expect(json(later)).toMatchObject({ scope: "route", id: "all", origin: "app", state: "to-come", pageOnly: true });
    const table = (await weir("maintenance", "list")).stdout;
    expect(table).toMatch(/^WHAT +STATE +WHEN +OTHERS GET +PASSING +BY +REASON\n/);
    expect(table).toMatch(
      /origin app +in-force +now, until \S+ +what is stored, else the page +10\.0\.0\.0\/8 key:\S+ +root \(.+\) +new disks\n/,
    );
    expect(table).toMatch(/route all +to-come +from \S+ until \S+ +the page +nobody/);

    expect(await weir("maintenance", "end", "--origin", "app")).toMatchObject({
      code: 0,
      stdout: "origin app is back in service\n",
    });
    expect(json(await weir("maintenance", "end", "--route", "all", "--json"))).toEqual({ scope: "route", id: "all" });
    expect(json(await weir("maintenance", "list", "--json"))).toEqual({ maintenance: [], unreachable: [] });
    await waitUntil("it is back", 5_000, async () => (await status()) === 200);
  });

  it.each([
    [["start", "--for", "1h"], 2, "--origin ID or --route ID"],
    [["start", "--origin", "app", "--route", "all", "--for", "1h"], 2, "one of them"],
    [["start", "--origin", "app", "--for", "soon"], 2, '--for must be a duration like "30m", "2h", not "soon"'],
    [["start", "--origin", "app", "--for", "1h", "--from", "tomorrow"], 2, "--from must be a duration from now"],
    [["start", "--origin", "app", "--for", "1h", "--from", "2020-01-01T00:00:00Z"], 2, "--from is past"],
    [
      ["start", "--origin", "app", "--for", "1h", "--allow", "10.0.0.0/40"],
      1,
      "allow.0: must have a prefix of 0 to 32",
    ],
    [["end", "--route", "all"], 1, 'There is no maintenance of route "all"'],
  ])("says what is wrong with %j", async (words, code, message) => {
    const finished = await weir("maintenance", ...words);
    expect(finished.stderr).toContain(message);
    expect(finished.code).toBe(code);
  });
});

describe("weir cache", () => {
  const page = async (path: string): Promise<string> =>
    (await send(undefined, `${gateway.urls[0]}/cached${path}`, { headers: await keyFor("acme") })).served;
  const warm = (path: string): Promise<number> =>
    waitUntil(`${path} is stored`, 5_000, async () => (await page(path)) === "cache");

  it("purges what is stored, within 5 s", async () => {
    await warm("/a");
    expect(await weir("cache", "purge", "/cached/a", "--reason", "new prices")).toMatchObject({
      code: 0,
      stdout: "/cached/a of app: stale everywhere within 5 s\n",
    });
    await waitUntil("it is in force", 5_000, async () => (await page("/a")) !== "cache");
    const prefix = await weir("cache", "purge", "--prefix", "/cached/b/", "--hard");
    expect(prefix.stdout).toBe("/cached/b/… of app: gone everywhere within 5 s\n");
    const tag = await weir("cache", "purge", "--tag", "arrivals", "--origin", "app");
    expect(tag.stdout).toBe("tag arrivals of app: stale everywhere within 5 s\n");
  });

  it("prints JSON, and lists which purges there were", async () => {
    const purged = await weir("cache", "purge", "https://shop.example/./x", "--tenant", "acme", "--json");
    expect(json(purged)).toMatchObject({
      purged: { kind: "url", value: "/x", host: "shop.example", tenant: "acme" },
      mode: "soft",
      origins: [{ origin: "app" }],
    });
    const listed = json(await weir("cache", "purges", "--json"));
    const [newest] = listed["purges"] as unknown[];
    expect(newest).toMatchObject({ origin: "app", mode: "soft", reason: "by hand", purged: { value: "/x" } });
    expect((await weir("cache", "purges")).stdout).toMatch(
      /TIME +ORIGIN +MODE +WHAT +BY +WHY\n.*Z +app +soft +shop\.example\/x \(tenant acme\) +root \(\S+\) +by hand\n/,
    );
  });

  it.each([
    [["purge"], 2, "give a URL, --prefix or --tag"],
    [["purge", "shop.example/a"], 1, "must be a URL like https://shop.example/a, or a path like /a"],
    [["purge", "/a", "--origin", "nope"], 1, 'Unknown origin "nope"; valid: app'],
    [["purge", "/a", "--tenant", "nobody"], 1, 'Unknown tenant "nobody"; valid: acme'],
  ])("%j says what is wrong", async (words, code, message) => {
    const finished = await weir("cache", ...words);
    expect(finished.stderr).toContain(message);
    expect(finished.code).toBe(code);
  });
});

describe("weir pages preview", () => {
  const preview = (...args: string[]): Promise<Finished> =>
    run("cli/weir.ts", ["pages", "preview", ...args, "--state-dir", stateOf(folder.path)]);

  it("shows the maintenance page", async () => {
    const shown = await preview("all", "--state", "maintenance");
    expect(shown.stdout).toMatch(/^503\n/);
    expect(shown.stdout).toContain("<h1>Down for maintenance</h1>");
    expect(shown.stdout).toContain('details="maintenance: plain"');
  });

  it("shows what a caller would get, in a language, and writes the page to a file", async () => {
    const shown = await preview("all", "--state", "limited", "--lang", "de");
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^429\n/);
    expect(shown.stdout).toContain("content-language: de\n");
    expect(shown.stdout).toContain("retry-after: 30\n");
    expect(shown.stdout).toContain("\n\n<!doctype html>");
    expect(shown.stdout).toContain("<h1>Zu viele Anfragen</h1>");

    const file = join(folder.path, "page.html");
    const written = await preview("all", "--out", file);
    expect(written.stdout).toMatch(/^503\n/);
    expect(written.stdout).not.toContain("<");
    expect(readFileSync(file, "utf8")).toContain("<h1>We will be right back</h1>");
    expect(json(await preview("all", "--accept", "application/json", "--json"))).toMatchObject({
      route: "all",
      state: "open",
      status: 503,
      headers: { "content-type": "application/json", "weir-served": "fallback" },
    });
  });

  it("says what would be valid", async () => {
    const state = await preview("all", "--state", "ajar");
    expect([state.code, state.stderr]).toEqual([2, expect.stringContaining("forced-open")]);
    const route = await preview("nope");
    expect([route.code, route.stderr]).toEqual([1, expect.stringContaining("valid: cached, all")]);
  });
});

describe("weir validate", () => {
  it("ends with 0 for a valid file and with 1 and every problem for another", async () => {
    expect((await run("cli/weir.ts", ["validate"])).code).toBe(0);
    const path = join(folder.path, "broken.jsonc");
    writeFileSync(path, '{ "version": 2, "origins": {}, "identity": [], "plans": {}, "routes": [], "extra": 1 }');
    const finished = await run("cli/weir.ts", ["validate", "--config", path, "--json"]);
    expect(finished.code).toBe(1);
    const { valid, problems } = json(finished) as { valid: boolean; problems: { path: string }[] };
    expect(valid).toBe(false);
    expect(problems.map((problem) => problem.path).toSorted()).toEqual(["extra", "routes", "version"]);
  });
});

describe("weir, used wrongly", () => {
  it.each([
    [["statsu"], 2, 'Did you mean "status"?'],
    [[], 2, "a command is needed"],
    [["keys", "create"], 2, "TENANT"],
    [["keys", "explode", "acme"], 2, "explode"],
  ])("%j ends with %i and says what to do", async (args, code, message) => {
    const finished = await run("cli/weir.ts", args);
    expect(finished.stderr).toContain(message);
    expect(finished.code).toBe(code);
  });

  it("without a gateway says how to get one", async () => {
    const finished = await run("cli/weir.ts", ["status"], {}, folder.path);
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain("npm start");
    const gone = await run("cli/weir.ts", ["status"], { WEIR_URL: "http://127.0.0.1:9", WEIR_TOKEN: "x" }, folder.path);
    expect(gone.stderr).toContain("cannot reach http://127.0.0.1:9");
    const wrong = await run(
      "cli/weir.ts",
      ["status"],
      { WEIR_URL: gateway.urls[0] ?? "", WEIR_TOKEN: "x".repeat(40) },
      folder.path,
    );
    expect(wrong.stderr).toContain("a wrong token looks like this too");
  });
});
