/** The config commands through the real binary, against a real gateway. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import { BrokenOrigin } from "../support/broken-origin.ts";
import { commandLine, json, noteGateway, stateOf } from "../support/command-line.ts";
import { configOf, keyFor, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { run } from "../support/process.ts";
import { send } from "../support/traffic.ts";

const folder = temporaryFolder();
const origin = new BrokenOrigin();
let gateway: Gateway;

const fileWith = (burst: number) => ({
  version: 1,
  origins: { app: { url: origin.url } },
  identity: [{ type: "apiKey", header: "authorization", scheme: "Bearer" }],
  plans: { pro: { limits: { requests: { rate: "10/s", burst } } } },
  tenants: { acme: { plan: "pro" } },
  routes: [{ id: "all", match: { path: "/*" }, origin: "app", degraded: { pages: { "text/html": "sorry.html" } } }],
});
const file = join(folder.path, "changed.jsonc");
const writeChanged = (burst: number): void => writeFileSync(file, JSON.stringify(fileWith(burst)));

beforeAll(async () => {
  await origin.start();
  writeFileSync(
    join(folder.path, "sorry.html"),
    "<!doctype html><html lang=en><title>Sorry</title><p>{{message}}</p></html>",
  );
  const text = JSON.stringify(fileWith(50));
  gateway = await startTestGateway(await configOf(folder.path, fileWith(50)), { text });
  noteGateway(folder.path, gateway.urls[0]);
});
afterAll(async () => {
  await gateway.stop();
  await origin.kill();
  folder.remove();
});

const weir = commandLine(folder.path);
const quotaSeen = async (): Promise<string> => {
  const answer = await send(undefined, `${gateway.urls[0]}/`, { headers: await keyFor("acme") });
  return String(answer.headers["ratelimit-policy"]);
};

describe("weir diff, apply, history, rollback", () => {
  it("say what would change with exit code 3, and 0 when nothing would", async () => {
    writeChanged(50);
    const same = await weir("diff", "--config", file);
    expect(same).toMatchObject({ code: 0, stdout: "" });
    writeChanged(70);
    const differs = await weir("diff", "--config", file);
    expect(differs.code).toBe(3);
    expect(differs.stdout).toBe("~ plans.pro.limits.requests.burst: 50 -> 70\n");
    expect(json(await weir("diff", "--config", file, "--json"))).toEqual({
      from: 1,
      to: null,
      changes: [{ path: "plans.pro.limits.requests.burst", kind: "changed", before: 50, after: 70 }],
    });
  });

  it("do not change anything without a terminal to ask at, nor on a dry run", async () => {
    const asked = await weir("apply", "--config", file);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain("say --yes");
    const dry = await weir("apply", "--config", file, "--dry-run", "--json");
    expect(dry.code).toBe(0);
    expect(json(dry)).toMatchObject({ kind: "checked", changes: [{ after: 70 }] });
    expect((json(await weir("history", "--json"))["versions"] as unknown[]).length).toBe(1);
  });

  it("put the file in force within seconds, with its page, and say who did it and why", async () => {
    const applied = await weir("apply", "--config", file, "--yes", "--message", "more for acme", "--json");
    expect(applied.code).toBe(0);
    expect(json(applied)).toMatchObject({
      kind: "done",
      inForce: { number: 2 },
      version: { number: 2, source: "apply", message: "more for acme", contentOf: null },
    });
    await waitUntil("the new burst is in force", 5_000, async () => (await quotaSeen()).includes("q=70"));
    const listed = await weir("history");
    expect(listed.code).toBe(0);
    expect(listed.stdout).toMatch(/\*\s+2\s+\S+\s+apply\s+root \(\S+\)\s+more for acme/);
    const page = await run("cli/weir.ts", ["pages", "preview", "all", "--state-dir", stateOf(folder.path)]);
    expect(page.stdout).toContain("<title>Sorry</title>");
  });

  it("change nothing when the same is applied again", async () => {
    const again = await weir("apply", "--config", file, "--yes", "--json");
    expect(again.code).toBe(0);
    expect(json(again)).toMatchObject({ kind: "same", version: { number: 2 } });
  });

  it("take the last change back, under a new number", async () => {
    const back = await weir("rollback", "--yes", "--message", "too much", "--json");
    expect(back.code).toBe(0);
    expect(json(back)).toMatchObject({
      kind: "done",
      version: { number: 3, source: "rollback", contentOf: 1 },
      changes: [{ path: "plans.pro.limits.requests.burst", before: 70, after: 50 }],
    });
    await waitUntil("the old burst is in force", 5_000, async () => (await quotaSeen()).includes("q=50"));
    const unknown = await weir("rollback", "99", "--yes");
    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.stderr).toContain("there is no config 99");
  });

  it("send nothing that is not valid, and name each problem", async () => {
    writeFileSync(file, JSON.stringify({ ...fileWith(1), tenants: { acme: { plan: "nope" } } }));
    const refused = await weir("apply", "--config", file, "--yes");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("tenants.acme.plan");
    expect(refused.stderr).toContain("nothing was sent");
  });
});

describe("weir trial", () => {
  it("shows a config on trial, bars another apply with exit code 4, and ends it by hand", async () => {
    expect(json(await weir("trial", "status", "--json"))).toEqual({ trial: null });
    writeChanged(90);
    const begun = await weir("apply", "--config", file, "--yes", "--canary", "5%", "--for", "10m", "--json");
    expect(begun.code).toBe(0);
    expect(json(begun)).toMatchObject({ inForce: { number: 3, canary: { number: 4, shareRatio: 0.05 } } });
    expect(json(await weir("trial", "status", "--json"))).toMatchObject({ trial: { number: 4, shareRatio: 0.05 } });
    writeChanged(95);
    const barred = await weir("apply", "--config", file, "--yes");
    expect(barred.code).toBe(4);
    expect(barred.stderr).toContain("on trial");
    const promoted = await weir("trial", "promote", "--yes", "--json");
    expect(json(promoted)).toMatchObject({ inForce: { number: 4 } });
    const none = await weir("trial", "abort", "--yes");
    expect(none.code).toBe(4);
  });

  it("refuses a share that is none", async () => {
    const refused = await weir("apply", "--config", file, "--canary", "0%", "--yes");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("5%");
  });
});

describe("weir apply --patch", () => {
  const patch = join(folder.path, "patch.json");
  const patched = (change: unknown, ...more: string[]) => {
    writeFileSync(patch, JSON.stringify(change));
    return weir("apply", "--patch", patch, "--yes", ...more);
  };
  const burst = (value: unknown) => ({ plans: { pro: { limits: { requests: { burst: value } } } } });

  it("changes what is in force and keeps its pages; the file follows with --write; rollback takes it back", async () => {
    const local = join(folder.path, "local.jsonc");
    writeFileSync(local, `// Ours.\n${JSON.stringify(fileWith(90), null, 2)}`);
    const applied = await patched(burst(60), "--config", local, "--write", "--json");
    expect(applied.code).toBe(0);
    expect(json(applied)).toMatchObject({
      kind: "done",
      changes: [{ path: "plans.pro.limits.requests.burst", before: 90, after: 60 }],
    });
    expect(readFileSync(local, "utf8")).toBe(`// Ours.\n${JSON.stringify(fileWith(60), null, 2)}`);
    await waitUntil("the new burst is in force", 5_000, async () => (await quotaSeen()).includes("q=60"));
    const page = await run("cli/weir.ts", ["pages", "preview", "all", "--state-dir", stateOf(folder.path)]);
    expect(page.stdout).toContain("<title>Sorry</title>");
    const back = await weir("rollback", "--yes", "--json");
    expect(json(back)).toMatchObject({ changes: [{ path: "plans.pro.limits.requests.burst", before: 60, after: 90 }] });
    await waitUntil("the old burst is in force", 5_000, async () => (await quotaSeen()).includes("q=90"));
  });

  it("says that the file is as it was, and changes nothing on a dry run", async () => {
    writeChanged(90);
    const dry = await patched(burst(61), "--dry-run", "--config", file);
    expect([dry.code, dry.stdout]).toEqual([0, "~ plans.pro.limits.requests.burst: 90 -> 61\n"]);
    expect(dry.stderr).toContain("would take it");
    expect((await patched(burst(61), "--config", file)).stderr).toContain("takes the patch back");
    expect((await patched(burst(90), "--config", file)).code).toBe(0);
  });

  it("sends nothing that is not valid as a whole, no patch that is none, and knows what --write goes with", async () => {
    const invalid = await patched(burst("many"));
    expect(invalid.code).toBe(1);
    expect(invalid.stderr).toContain("plans.pro.limits.requests.burst");
    expect(invalid.stderr).toContain("nothing was sent");
    expect((await patched({ plans: null })).stderr).toContain("plans");
    expect((await patched([1])).stderr).toContain("must be an object");
    expect((await weir("apply", "--patch", join(folder.path, "none.json"), "--yes")).stderr).toContain("cannot read");
    expect((await weir("apply", "--write", "--yes")).code).toBe(2);
  });
});
