import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfigFile } from "../../cli/config-file.ts";
import { formatProblem, loadConfig, type Problem } from "../../src/config/load.ts";
import { preparePage } from "../../src/config/pages/prepare.ts";
import { PAGE_VARIABLES } from "../../src/config/pages/vocabulary.ts";
import { BOUNDS } from "../../src/config/schema-parts.ts";

const base = {
  version: 1,
  origins: { shop: { url: "https://shop.example" } },
  identity: [{ type: "anonymous", plan: "free" }],
  plans: { free: { limits: { requests: { rate: "5/s", burst: 10 } } } },
  tenants: { acme: { plan: "free" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "shop" }],
};

type Pages = Readonly<Record<string, string>>;

const load = (text: string, pages: Pages = {}, configVersion = 1) =>
  loadConfig(text, { configVersion, readPage: (path) => Promise.resolve(pages[path]), preparePage });

async function problemsOfText(text: string, pages: Pages = {}): Promise<readonly Problem[]> {
  const result = await load(text, pages);
  return result.ok ? [] : result.problems;
}

/** The valid config with some top-level keys replaced. */
const problemsOf = (change: Readonly<Record<string, unknown>>, pages: Pages = {}): Promise<readonly Problem[]> =>
  problemsOfText(JSON.stringify({ ...base, ...change }, undefined, 2), pages);

const lines = (problems: readonly Problem[]): string[] => problems.map(({ path, message }) => `${path}: ${message}`);
const withLimit = (limit: unknown) => ({ plans: { free: { limits: { requests: limit } } } });
const withOriginUrl = (url: string) => ({ origins: { shop: { url } } });
const withPage = (page: string) => ({
  routes: [{ ...base.routes[0], degraded: { pages: { "text/html": page } } }],
});

describe("a config file that is not JSON", () => {
  it("that is nested without end is refused, and overflows no stack", async () => {
    for (const open of ["[", '{"a":', '[{"a":[']) {
      const [first, ...more] = await problemsOfText(open.repeat(100_000));
      expect(first?.message).toBe("is nested more than 100 deep");
      expect(more).toEqual([]);
    }
    expect(lines(await problemsOfText(`{ "a": "${"[".repeat(500)}" /* ${"{".repeat(500)} */ }`))[0]).not.toContain(
      "nested",
    );
  });

  it("is refused with the line and column of the first mistake", async () => {
    const [first] = await problemsOfText('{\n  // a comment is fine\n  "version" 1,\n}');
    expect(first).toMatchObject({ path: "", line: 3, column: 13 });
    expect(first?.message).toBe('broken JSON: colon expected, found "1"');
  });

  it("is formatted as file:line:column for terminals and editors", async () => {
    const problems = await problemsOfText('{\n  "version" 1,\n}');
    expect(problems.map((problem) => formatProblem("weir.jsonc", problem))[0]).toBe(
      'weir.jsonc:2:13 broken JSON: colon expected, found "1"',
    );
  });

  it.each(["", "  \n\t\n"])("is called blank when there is nothing in it (%j)", async (text) => {
    expect(await problemsOfText(text)).toEqual([{ path: "", message: "the file is blank", line: 1, column: 1 }]);
  });

  it("is refused when only comments are in it", async () => {
    expect(await problemsOfText("// nothing\n")).not.toEqual([]);
  });

  it("may carry comments and trailing commas", async () => {
    expect(await problemsOfText(`// hello\n${JSON.stringify(base).replace(/\}$/, ",}")}`)).toEqual([]);
  });
});

describe("keys", () => {
  it("that are unknown are refused with the list of the valid ones", async () => {
    const problems = await problemsOf(withLimit({ rate: "5/s", brust: 10 }));
    expect(problems.map(({ path }) => path)).toEqual(["plans.free.limits.requests.brust"]);
    expect(problems[0]?.message).toContain(
      "unknown key; valid keys: rate, burst, quota, per, timeZone, partition, mode",
    );
  });

  it("that come twice are refused where they come the second time", async () => {
    const text = JSON.stringify(base).replace('"free":{', '"free":{},\n  "free":{');
    const problems = await problemsOfText(text);
    expect(problems).toEqual([{ path: "plans.free", message: "this key comes twice", line: 2, column: 3 }]);
  });

  it("that come twice as other spellings of one string are refused", async () => {
    const text = JSON.stringify(base).replace('"acme":', String.raw`"\u0061cme":{"plan":"free"},"acme":`);
    expect(lines(await problemsOfText(text))).toEqual(["tenants.acme: this key comes twice"]);
  });

  it.each(["__proto__", "constructor", "prototype"])("named %s are refused", async (key) => {
    const text = JSON.stringify(base).replace('"acme":', `"${key}":{"plan":"free"},"acme":`);
    expect(lines(await problemsOfText(text))).toEqual([`tenants.${key}: this key is not allowed`]);
    expect(({} as Record<string, unknown>)["plan"]).toBeUndefined();
  });

  it("that are no names are refused at the key", async () => {
    const [problem] = await problemsOf({ tenants: { ACME: { plan: "free" } } });
    expect(problem?.path).toBe("tenants.ACME");
    expect(problem?.message).toContain("must be 1 to 64 of a-z 0-9");
  });
});

describe("the size of the file", () => {
  const padded = (bytes: number): string => JSON.stringify(base).padEnd(bytes, " ");

  it("may be one byte under the bound", async () => {
    expect(await problemsOfText(padded(BOUNDS.fileBytes - 1))).toEqual([]);
  });

  it("is refused at the bound, with both numbers", async () => {
    const expected = ": the file has 1000000 bytes; it must be smaller than 1000000";
    expect(lines(await problemsOfText(padded(1_000_000)))).toEqual([expected]);
  });

  it("is counted in bytes, not in characters", async () => {
    const text = `${JSON.stringify(base)}//${"é".repeat(BOUNDS.fileBytes / 2)}`;
    expect(text.length).toBeLessThan(BOUNDS.fileBytes);
    expect((await problemsOfText(text))[0]?.message).toContain("it must be smaller than");
  });
});

describe("limits", () => {
  it.each(["-5/s", "5", "5/w", "5 /s", "1.0001/s", "Infinity/s", ""])("refuse the rate %j", async (rate) => {
    const [problem, ...others] = await problemsOf(withLimit({ rate }));
    expect(others).toEqual([]);
    expect(problem?.path).toBe("plans.free.limits.requests.rate");
    expect(problem?.message).toContain(`must be a rate above zero like "200/s"`);
    expect(problem?.message).toContain(`found ${JSON.stringify(rate)}`);
  });

  it.each(["0/s", "0.000/d"])("refuse a rate of zero (%s)", async (rate) => {
    expect(lines(await problemsOf(withLimit({ rate })))).toEqual([
      `plans.free.limits.requests.rate: must be above zero; found "${rate}"`,
    ]);
  });

  it.each([0, -1, 1.5, 10_000_001])("refuse the burst %d", async (burst) => {
    const problems = await problemsOf(withLimit({ rate: "5/s", burst }));
    expect(problems.map(({ path }) => path)).toEqual(["plans.free.limits.requests.burst"]);
  });

  it.each([
    [{ rate: "5/s", quota: 5, per: "day" }, "not both"],
    [{ mode: "shadow" }, 'must have "rate"'],
    [{ burst: 5 }, '"burst" needs a "rate"'],
    [{ quota: 5 }, 'needs both "quota" and "per"'],
  ])("refuse %j, which is neither a bucket nor a quota", async (limit, message) => {
    const [problem] = await problemsOf(withLimit(limit));
    expect(problem?.path).toBe("plans.free.limits.requests");
    expect(problem?.message).toContain(message);
  });

  it("refuse a burst that would leave exact arithmetic", async () => {
    const [problem] = await problemsOf(withLimit({ rate: "0.001/d", burst: 10_000_000 }));
    expect(problem?.message).toContain("too large for a rate of this precision");
  });

  it("refuse an unknown time zone", async () => {
    expect(lines(await problemsOf(withLimit({ quota: 5, per: "day", timeZone: "Europe/Berln" })))).toEqual([
      'plans.free.limits.requests.timeZone: unknown time zone "Europe/Berln"; valid is for example "Europe/Berlin"; found "Europe/Berln"',
    ]);
  });

  it("accept a known time zone", async () => {
    expect(await problemsOf(withLimit({ quota: 5, per: "day", timeZone: "Europe/Berlin" }))).toEqual([]);
  });
});

describe("references", () => {
  it("to an unknown plan suggest the one that was meant", async () => {
    const [problem] = await problemsOf({ tenants: { acme: { plan: "fre" } } });
    expect(problem?.path).toBe("tenants.acme.plan");
    expect(problem?.message).toContain('unknown plan "fre"; did you mean "free"? valid: free');
  });

  it("to an unknown plan of anonymous callers are found too", async () => {
    const problems = await problemsOf({ identity: [{ type: "anonymous", plan: "platinum" }] });
    expect(lines(problems)).toEqual(['identity.0.plan: unknown plan "platinum"; valid: free; found "platinum"']);
  });

  it("to an unknown origin suggest the one that was meant", async () => {
    const [problem] = await problemsOf({ routes: [{ ...base.routes[0], origin: "shpo" }] });
    expect(problem?.path).toBe("routes.0.origin");
    expect(problem?.message).toContain('unknown origin "shpo"; did you mean "shop"?');
  });

  it("to an unknown failover suggest the one that was meant", async () => {
    const [problem] = await problemsOf({ origins: { shop: { url: "https://a.example", failover: "shopp" } } });
    expect(problem?.path).toBe("origins.shop.failover");
    expect(problem?.message).toContain('unknown origin "shopp"; did you mean "shop"?');
  });

  it("are not fooled by names that every object has", async () => {
    const [problem] = await problemsOf({ tenants: { acme: { plan: "toString" } } });
    expect(problem?.message).toContain('unknown plan "toString"');
  });

  it("of failovers may not go round in a circle", async () => {
    const url = "https://a.example";
    const origins = { shop: { url, failover: "b" }, b: { url, failover: "c" }, c: { url, failover: "b" } };
    const problems = await problemsOf({ origins });
    expect(problems.map(({ path }) => path)).toEqual(["origins.b.failover", "origins.c.failover"]);
    expect(problems[0]?.message).toContain("goes round in a circle: b -> c -> b");
  });

  it("of failovers may not lead to the origin itself", async () => {
    const [problem] = await problemsOf({ origins: { shop: { url: "https://a.example", failover: "shop" } } });
    expect(problem?.message).toContain("goes round in a circle: shop -> shop");
  });

  it("of failovers may form a chain", async () => {
    const url = "https://a.example";
    expect(
      await problemsOf({ origins: { shop: { url, failover: "b" }, b: { url, failover: "c" }, c: { url } } }),
    ).toEqual([]);
  });
});

describe("an origin's URL", () => {
  it.each([
    ["https://user:secret@shop.example", "must not carry credentials"],
    ["http://169.254.169.254/latest", "169.254.169.254 is a link-local address"],
    ["http://2852039166/", "169.254.169.254 is a link-local address"],
    ["http://[fe80::1]/", "fe80::1 is a link-local address"],
    ["http://[::ffff:169.254.169.254]/", "is a link-local address"],
    ["ftp://shop.example", "must be http or https, not ftp:"],
    ["https://shop.example/?a=1", "must have no query and no fragment"],
    ["https://shop.example/#top", "must have no query and no fragment"],
    ["shop.example", "is no URL"],
  ])("is refused when it is %s", async (url, message) => {
    const [problem, ...others] = await problemsOf(withOriginUrl(url));
    expect(others).toEqual([]);
    expect(problem?.path).toBe("origins.shop.url");
    expect(problem?.message).toContain(message);
  });

  it.each(["http://127.0.0.1:9100", "https://shop.example/prefix/", "http://[::1]:80"])("may be %s", async (url) => {
    expect(await problemsOf(withOriginUrl(url))).toEqual([]);
  });
});

describe("routes and their pages", () => {
  const path = "routes.0.degraded.pages.text/html";

  it("need ids of their own", async () => {
    const problems = await problemsOf({ routes: [base.routes[0], base.routes[0]] });
    expect(lines(problems)).toEqual(['routes.1.id: "all" is already the id of routes.0; found "all"']);
  });

  it.each(["catalog", "/a/*/b", "/a//b", "/a?b", "/:", "/a*"])("refuse the path %s", async (bad) => {
    const problems = await problemsOf({ routes: [{ ...base.routes[0], match: { path: bad } }] });
    expect(problems.map((problem) => problem.path)).toEqual(["routes.0.match.path"]);
  });

  it("need every page they name", async () => {
    const problems = await problemsOf(withPage("gone.html"));
    expect(lines(problems)).toEqual([`${path}: no file "gone.html" beside the config file; found "gone.html"`]);
  });

  it.each([
    ["{{{requestId}}}", "uses an unescaped {{{requestId}}}; write {{requestId}}, which is escaped"],
    ["{{&requestId}}", "uses an unescaped {{{requestId}}}"],
    [
      "{{requestID}}",
      'uses unknown variable "requestID"; did you mean "requestId"? valid: retryAfterSeconds, retryAfterText, requestId, ',
    ],
    ["{{#status}}x{{/status}}", "uses a section, partial or other delimiters"],
    ["{{> other}}", "uses a section, partial or other delimiters"],
  ])("refuse a page with %s", async (text, message) => {
    const [problem] = await problemsOf(withPage("p.html"), { "p.html": `<p>${text}</p>` });
    expect(problem?.path).toBe(path);
    expect(problem?.message).toContain(`p.html:1:4 ${message}`);
  });

  it("refuse a page that ends inside of a section", async () => {
    const problems = await problemsOf(withPage("p.html"), { "p.html": "<p>\n{{#status}}</p>" });
    expect(lines(problems)[0]).toContain('p.html:2:16 is no valid template: Unclosed section "status"');
  });

  it("take a page with every known variable and put its parts into the config", async () => {
    const text = "{{requestId}} {{status}}{{title}} {{! a comment }}, {{ routeId }}";
    const result = await load(JSON.stringify({ ...base, ...withPage("p.html") }), { "p.html": text });
    const name = "p.html as text/html";
    expect(result.ok && result.config.routes[0]?.degraded?.pages).toEqual({ "text/html": { en: name } });
    expect(result.ok && result.config.pages.templates[name]?.parts).toEqual([
      "",
      "requestId",
      " ",
      "status",
      "",
      "title",
      " , ",
      "routeId",
      "",
    ]);
    for (const variable of PAGE_VARIABLES) {
      expect(await problemsOf(withPage("p.html"), { "p.html": `<p>{{${variable}}}` })).toEqual([]);
    }
  });

  it("warn about a cost that a bucket can never hold, without refusing the file", async () => {
    const result = await load(JSON.stringify({ ...base, routes: [{ ...base.routes[0], cost: 11 }] }));
    expect(result.ok && result.warnings.map((warning) => warning.path)).toEqual(["routes.0.cost"]);
    const fits = await load(JSON.stringify({ ...base, routes: [{ ...base.routes[0], cost: 10 }] }));
    expect(fits.ok && fits.warnings).toEqual([]);
  });
});

describe("several problems", () => {
  it("of single values are all named at once, each at its own path and line", async () => {
    const problems = await problemsOf({
      version: 2,
      plans: { free: { limits: { requests: { rate: "-1/s" } }, priority: "urgent" } },
      routes: [{ ...base.routes[0], deadline: "soon" }],
    });
    const paths = ["plans.free.limits.requests.rate", "plans.free.priority", "routes.0.deadline", "version"];
    expect(problems.map(({ path }) => path).toSorted()).toEqual(paths);
    expect(problems.find(({ path }) => path === "version")).toMatchObject({ line: 2, column: 14 });
    expect(new Set(problems.map(({ line }) => line)).size).toBe(4);
  });

  it("between places are all named at once", async () => {
    const problems = await problemsOf({
      origins: { shop: { url: "ftp://shop.example", failover: "nowhere" } },
      tenants: { acme: { plan: "gold" } },
      routes: [{ ...base.routes[0], origin: "other" }, base.routes[0]],
    });
    expect(problems.map(({ path }) => path).toSorted()).toEqual([
      "origins.shop.failover",
      "origins.shop.url",
      "routes.0.origin",
      "routes.1.id",
      "tenants.acme.plan",
    ]);
  });
});

describe("a valid config", () => {
  it("has a hash that depends on the content, not on version, comments or spaces", async () => {
    const hash = async (text: string, version: number): Promise<string | false> => {
      const result = await load(text, {}, version);
      return result.ok && `${result.config.configVersion} ${result.config.hash}`;
    };
    const first = String(await hash(JSON.stringify(base), 1));
    expect(first).toMatch(/^1 [0-9a-f]{64}$/);
    expect(await hash(`// other\n${JSON.stringify(base, undefined, 4)}`, 2)).toBe(first.replace("1 ", "2 "));
    expect(await hash(JSON.stringify({ ...base, tenants: {} }), 1)).not.toBe(first);
  });

  it("with 10,000 tenants loads within two seconds", async () => {
    const tenants = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`tenant-${index}`, { plan: "free" }]),
    );
    const text = JSON.stringify({ ...base, tenants });
    const start = performance.now();
    const result = await load(text);
    expect(performance.now() - start).toBeLessThanOrEqual(2_000);
    expect(result.ok && result.config.tenants.length).toBe(10_000);
  });

  it("may not have 10,001 tenants", async () => {
    const tenants = Object.fromEntries(
      Array.from({ length: 10_001 }, (_, index) => [`tenant-${index}`, { plan: "free" }]),
    );
    expect(lines(await problemsOf({ tenants }))).toEqual(["tenants: has 10001 entries; at most 10000 are allowed"]);
  });
});

describe("a config file on disk", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weir-config-"));
    await mkdir(join(folder, "conf", "pages"), { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true }));

  const loadWithPage = async (page: string) => {
    const file = join(folder, "conf", "weir.jsonc");
    await writeFile(file, JSON.stringify({ ...base, ...withPage(page) }));
    return loadConfigFile(file, 1);
  };

  it("is valid when it is the one in the repository", async () => {
    const result = await loadConfigFile(fileURLToPath(new URL("../../weir.jsonc", import.meta.url)), 7);
    expect(result).toMatchObject({ ok: true, warnings: [], config: { configVersion: 7 } });
  });

  it("finds its pages beside itself", async () => {
    await writeFile(join(folder, "conf", "pages", "p.html"), "<p>{{status}}</p>");
    const result = await loadWithPage("pages/p.html");
    expect(result.ok && Object.values(result.config.pages.templates).map(({ parts }) => parts)).toEqual([
      ["<p>", "status", "</p>"],
    ]);
  });

  it("cannot take a page from outside its folder", async () => {
    await writeFile(join(folder, "secret.html"), "secret");
    const pages = ["../secret.html", "pages/../../secret.html", join(folder, "secret.html")];
    for (const page of pages) {
      const result = await loadWithPage(page);
      expect(result.ok ? [] : result.problems.map(({ message }) => message)).toEqual([
        expect.stringContaining(`no file ${JSON.stringify(page)} beside the config file`),
      ]);
    }
  });

  it("that does not exist is named in the error", async () => {
    const gone = join(folder, "gone.jsonc");
    await expect(loadConfigFile(gone, 1)).rejects.toThrow(`cannot read the config file ${gone}: ENOENT`);
  });
});
