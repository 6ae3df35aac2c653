/**
 * The drill: a gateway with state of every kind is backed up, wiped and restored through the real binary; then the same
 * requests get the same answers. And what a damaged backup, or a restore that is killed, leaves behind.
 */
import { spawn } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkBackup } from "../../cli/backup-file.ts";
import { freePorts } from "../../local/ports.ts";
import type { Gateway } from "../../local/gateway.ts";
import { commandLine, noteGateway } from "../support/command-line.ts";
import { ADMIN, configOf, SECRETS, startTestGateway, temporaryFolder, waitUntil } from "../support/gateway.ts";
import { run } from "../support/process.ts";

const API = "/_weir/api/v1";
const DRILL = process.env["WEIR_DRILL"] === "1";
const folder = temporaryFolder();
const file = join(folder.path, "backup.jsonl");
let gateway: Gateway;
let origin: Server;
let other: Server;
let port = 0;
/** Of callers, by what they are. */
const keys: Record<string, string> = {};
const tokens: Record<string, string> = {};

const url = (): string => gateway.urls[0] ?? "";

async function listen(): Promise<Server> {
  const server = createServer((_request, response) => {
    response.setHeader("cache-control", "no-store");
    response.end("hello");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return server;
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const fileOf = (burst: number) => ({
  version: 1,
  origins: { app: { url: urlOf(origin) }, down: { url: urlOf(other) } },
  identity: [{ type: "apiKey", header: "x-api-key" }],
  plans: {
    small: { limits: { requests: { rate: "1000/s", burst: burst * 100 } } },
    large: { limits: { requests: { rate: "1000/s", burst: 5_000 } } },
  },
  tenants: { acme: { plan: "small" }, idle: { plan: "small" } },
  routes: [
    { id: "down", match: { path: "/down/*" }, origin: "down" },
    { id: "closed", match: { path: "/closed/*" }, origin: "app" },
    { id: "orders", match: { path: "/orders/*" }, origin: "app" },
    { id: "all", match: { path: "/*" }, origin: "app" },
  ],
});

async function start(): Promise<void> {
  const config = await configOf(folder.path, fileOf(50));
  const text = JSON.stringify(fileOf(50));
  gateway = await startTestGateway(config, { port, text, edges: 2, stateDir: join(folder.path, "objects") });
  noteGateway(folder.path, url());
}

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url() + API + path, {
    method,
    headers: { ...ADMIN, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const value = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(value)}`);
  return value;
}

const weir = commandLine(folder.path);

const makeKey = async (tenant: string, body: object = {}) =>
  (await call("POST", `/tenants/${tenant}/keys`, body)) as { key: string; keyId: string };

async function makeState(): Promise<void> {
  for (const burst of [60, 70]) {
    const { inForce } = (await call("GET", "/configs")) as { inForce: { number: number } };
    const body = { text: JSON.stringify(fileOf(burst)), message: `burst ${burst}` };
    await call("POST", "/configs", body, { "if-match": `"${inForce.number}"` });
  }
  await call("POST", "/configs/rollback", { number: 2, message: "too much" }, { "if-match": '"3"' });
  await call("PUT", "/tenants/globex", {
    plan: "large",
    label: "Globex Ltd",
    limits: { requests: { rate: "700/s", burst: 7_700 } },
  });
  await call("PUT", "/tenants/quiet", { plan: "small" });
  await call("PUT", "/tenants/gone", { plan: "small" });
  await call("PUT", "/tenants/unpaid", { plan: "small" });
  for (const tenant of ["acme", "globex", "gone", "unpaid", "idle"]) keys[tenant] = (await makeKey(tenant)).key;
  const revoked = await makeKey("globex");
  keys["revoked"] = revoked.key;
  await call("DELETE", `/tenants/globex/keys/${revoked.keyId}`);
  const replaced = await makeKey("acme");
  keys["ending"] = replaced.key;
  keys["new"] = String(
    (await call("POST", `/tenants/acme/keys/${replaced.keyId}/rotate`, { overlapMs: 3_600_000 }))["key"],
  );
  const ended = await makeKey("acme");
  keys["ended"] = ended.key;
  await call("POST", `/tenants/acme/keys/${ended.keyId}/rotate`, { overlapMs: 0 });
  keys["scoped"] = (await makeKey("globex", { scopes: ["route:orders"], lifetimeMs: 86_400_000 })).key;
  await call("DELETE", "/tenants/gone");
  await call("POST", "/tenants/unpaid/suspend", { reason: "the bill" });
  await call("POST", "/tenants/idle/suspend", { reason: "by name in the file" });
  const override = { rate: "300/s", burst: 3_300, forMs: 3_600_000, reason: "a try" };
  await call("PUT", "/tenants/acme/overrides/requests", override);
  await call("POST", "/breakers/down/trip", { state: "open", reason: "moved", by: "ann", forMs: 3_600_000 });
  await call("PUT", "/maintenance/routes/closed", { forMs: 3_600_000, reason: "paint", pageOnly: true });
  await call("POST", "/purges", { tag: "news", mode: "hard", reason: "a mistake in it" });
  // More than a restore sends at once.
  const many = Array.from({ length: 500 }, (_, index) => ({ id: `many-${index}`, plan: "small" }));
  await call("POST", "/tenants/import", { tenants: many });
  for (const [label, role] of [
    ["watch", "reader"],
    ["ops", "operator"],
    ["out", "admin"],
  ] as const) {
    const made = await call("POST", "/tokens", { label, role });
    tokens[label] = String(made["token"]);
    if (label === "out") await call("DELETE", `/tokens/${String(made["tokenId"])}`);
  }
}

/** What a caller sees, but for what is spent and what is new with each answer. */
const VOLATILE =
  /^(?:date|weir-request-id|server-timing|traceparent|ratelimit|x-ratelimit-.*|retry-after|age|content-length|connection|keep-alive)$/;
const PATHS = ["/", "/orders/1", "/closed/1", "/down/1"];

async function decide(base: string, path: string, headers: Record<string, string>): Promise<unknown> {
  const response = await fetch(base + path, { headers, redirect: "manual" });
  const body = await response.text();
  const fields = [...response.headers].filter(([name]) => !VOLATILE.test(name));
  // How long is left of what ends changes; that it ends does not.
  const told = body
    .replaceAll(/"(?:requestId|retryAfterMs|instance)":\s*("[^"]*"|\d+)/g, '"-":0')
    .replaceAll(/\b[0-9a-f]{16,32}\b/g, "id");
  return { status: response.status, fields, body: response.ok ? told : told.slice(0, 200) };
}

/** The same table of requests, on both edges. */
async function decisions(): Promise<Record<string, unknown>> {
  const table: Record<string, unknown> = {};
  for (const [index, base] of gateway.urls.entries()) {
    for (const path of PATHS) {
      for (const [name, key] of Object.entries(keys)) {
        table[`edge ${index} ${name} ${path}`] = await decide(base, path, { "x-api-key": key });
      }
    }
    for (const [name, token] of Object.entries(tokens)) {
      for (const path of ["/status", "/tokens"]) {
        const response = await fetch(`${base}${API}${path}`, { headers: { authorization: `Bearer ${token}` } });
        table[`edge ${index} token ${name} ${path}`] = response.status;
      }
    }
  }
  return table;
}

/** What the admin API tells, but for what a restore adds. */
async function told(): Promise<Record<string, unknown>> {
  const listed = async (path: string, name: string) => (await call("GET", path))[name];
  const versions = (await listed("/configs?limit=100", "versions")) as { number: number; configVersion: number }[];
  const inForce = (await call("GET", "/configs/in-force")) as { text: string };
  return {
    text: inForce.text,
    history: versions.filter(({ number }) => number <= 4),
    tenants: await listed("/tenants?limit=1000", "tenants"),
    keys: await Promise.all(
      ["acme", "globex"].map(async (tenant) =>
        ((await listed(`/tenants/${tenant}/keys`, "keys")) as { lastUsedAtMs: number | null }[]).map(
          ({ lastUsedAtMs: _to, ...key }) => key,
        ),
      ),
    ),
    overrides: await listed("/tenants/acme/overrides", "overrides"),
    tokens: ((await listed("/tokens", "tokens")) as { lastUsedAtMs: number | null }[]).map(
      ({ lastUsedAtMs: _to, ...token }) => token,
    ),
  };
}

async function wipe(): Promise<void> {
  await gateway.stop();
  rmSync(join(folder.path, "objects"), { recursive: true });
  await start();
}

/** A stand-in passes on the batches before this one and then is silent: the restore hangs there, and is killed. */
async function killInBatch(batch: number): Promise<void> {
  let batches = 0;
  const between = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      if (request.url?.endsWith("/lines") === true && ++batches === batch) return;
      const body = parts.length === 0 ? {} : { body: Buffer.concat(parts) };
      const init = { method: request.method ?? "GET", headers: { ...ADMIN }, ...body };
      void fetch(url() + (request.url ?? ""), init).then(async (answer) => {
        response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
      });
    });
  });
  await new Promise<void>((resolve) => {
    between.listen(0, "127.0.0.1", resolve);
  });
  const child = spawn(process.execPath, [`${process.cwd()}/cli/weir.ts`, "restore", file, "--yes"], {
    env: { ...process.env, WEIR_URL: urlOf(between), WEIR_TOKEN: SECRETS.WEIR_ADMIN_TOKEN },
    stdio: "ignore",
  });
  const died = new Promise((resolve) => {
    child.on("exit", resolve);
  });
  await waitUntil("it is in its middle", 10_000, () => batches === batch);
  child.kill("SIGKILL");
  await died;
  between.closeAllConnections();
  between.close();
}

async function untilSame(before: Record<string, unknown>): Promise<void> {
  await waitUntil("the same decisions", 10_000, async () => {
    const now = await decisions();
    return JSON.stringify(now) === JSON.stringify(before);
  }).catch(async () => {
    expect(await decisions()).toEqual(before);
  });
}

let before: Record<string, unknown>;
let before2: Record<string, unknown>;

beforeAll(async () => {
  [origin, other] = await Promise.all([listen(), listen()]);
  port = await freePorts(2);
  await start();
  await fetch(url(), { headers: { "x-api-key": "none" } });
  await waitUntil("the bundle is taken over", 5_000, async () => (await call("GET", "/configs"))["inForce"] !== null);
  await makeState();
  // All of it is in force on both edges.
  await waitUntil("it is in force", 10_000, async () => {
    const table = await decisions();
    const status = (name: string) => (table[name] as { status: number }).status;
    return gateway.urls.every(
      (_url, edge) =>
        ["unpaid", "idle"].every((name) => status(`edge ${edge} ${name} /`) === 403) &&
        ["revoked", "ended", "gone"].every((name) => status(`edge ${edge} ${name} /`) === 401) &&
        ["/down/1", "/closed/1"].every((path) => status(`edge ${edge} acme ${path}`) === 503),
    );
  });
});
afterAll(async () => {
  await gateway.stop();
  origin.close();
  other.close();
  folder.remove();
});

describe("a backup", () => {
  it("has a header, a line for each thing and a trailer, is its owner's alone, and has no secret in it", async () => {
    [before, before2] = [await decisions(), await told()];
    const made = await weir("backup", "--out", file, "--audit");
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, "utf8");
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(lines[0]).toMatchObject({ v: 1, kind: "weir-backup", release: version, source: url(), audit: true });
    const kinds = new Set(lines.map(({ kind }) => kind));
    for (const kind of [
      "config",
      "config-content",
      "in-force",
      "tenant",
      "removed-tenant",
      "key",
      "override",
      "breaker",
      "maintenance",
      "token",
      "audit",
      "end",
    ]) {
      expect(kinds, kind).toContain(kind);
    }
    const canaries = [
      ...Object.values(SECRETS),
      ...[...Object.values(keys), ...Object.values(tokens)].map((one) => one.slice(-22)),
    ];
    for (const canary of canaries) expect(text).not.toContain(canary);
  });

  it("waits where the gateway says that its calls come too fast", async () => {
    const token = String((await call("POST", "/tokens", { label: "busy", role: "admin", forMs: 600_000 }))["token"]);
    const headers = { authorization: `Bearer ${token}` };
    const asked = Array.from({ length: 230 }, () => fetch(`${url()}${API}/configs?limit=1`, { headers }));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses).toContain(429);
    const made = await run("cli/weir.ts", ["backup"], { WEIR_URL: url(), WEIR_TOKEN: token });
    expect([made.code, made.stdout.trimEnd().split("\n").length > 20], made.stderr).toEqual([0, true]);
  });

  it("is refused to who is no unlimited admin, and pages of one that was not begun are not there", async () => {
    const limited = String(
      (await call("POST", "/tokens", { label: "acme", role: "admin", tenants: ["acme"], forMs: 60_000 }))["token"],
    );
    for (const token of [tokens["ops"], limited]) {
      const refused = await run("cli/weir.ts", ["backup"], { WEIR_URL: url(), WEIR_TOKEN: token ?? "" });
      expect([refused.code, refused.stdout]).toEqual([1, ""]);
      expect(refused.stderr).toContain("answered 403");
    }
    const guessed = await fetch(`${url()}${API}/backups/${Date.now() + 1_000}_AAAA/tokens`, { headers: ADMIN });
    expect(guessed.status).toBe(404);
  });
});

describe("a restore", () => {
  it("over a gateway that has state is refused with 4, and with nothing changed", async () => {
    const refused = await weir("restore", file, "--yes");
    expect([refused.code, refused.stdout]).toEqual([4, ""]);
    expect(refused.stderr).toContain("configs that were applied");
  });

  it.each<[string, (lines: string[]) => string[], string]>([
    ["cut off", (lines) => lines.slice(0, -1), "has no end"],
    ["with a line removed", (lines) => lines.toSpliced(3, 1), "was changed"],
    [
      "with two lines exchanged",
      (lines) => [...lines.slice(0, 2), ...lines.slice(2, 4).toReversed(), ...lines.slice(4)],
      "was changed",
    ],
    ["with a byte flipped", (lines) => lines.with(1, (lines[1] ?? "").replace('"atMs":1', '"atMs":2')), "was changed"],
    ["with something behind its end", (lines) => [...lines, "{}"], "behind the backup's end"],
    ["of a later version", (lines) => lines.with(0, (lines[0] ?? "").replace('"v":1', '"v":2')), "version 2"],
    ["that is none", () => ['{"kind":"other"}'], "no backup"],
    [
      "with a field of another release",
      (lines) => lines.with(1, (lines[1] ?? "").replace("{", '{"more":1,')),
      "line 2",
    ],
    ["that is empty", () => [""], "no backup|not JSON|empty"],
  ])("of a file %s is refused", async (_what, damage, said) => {
    const damaged = join(folder.path, "damaged.jsonl");
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    writeFileSync(damaged, `${damage(lines).join("\n")}\n`);
    expect(readFileSync(damaged, "utf8")).not.toBe(readFileSync(file, "utf8"));
    await expect(checkBackup(damaged)).rejects.toThrow(new RegExp(said));
  });

  it("of a damaged file ends with 1 before anything is asked", async () => {
    const refused = await weir("restore", join(folder.path, "damaged.jsonl"), "--yes", "--force");
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
  });

  it("that is killed in its middle changes no config, and when given again ends as one that was not", async () => {
    await wipe();
    for (const batch of DRILL ? [1, 2, 3] : [3]) await killInBatch(batch);
    const { inForce } = (await call("GET", "/configs")) as { inForce: { number: number } };
    expect(inForce.number).toBe(1);

    const dry = await weir("restore", file, "--dry-run", "--json");
    expect(JSON.parse(dry.stdout)).toMatchObject({ kind: "goes-on" });
    const again = await weir("restore", file, "--yes", "--json");
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(again.stdout)).toMatchObject({ kind: "done" });
    await untilSame(before);
    expect(await told()).toEqual(before2);
  });

  it("that has ended changes nothing when given again", async () => {
    const again = await weir("restore", file, "--yes");
    expect([again.code, again.stdout]).toEqual([0, "it was restored before: nothing was changed\n"]);
    expect(await told()).toEqual(before2);
  });

  it.runIf(DRILL)("of a wiped gateway in one go gives the same", async () => {
    await wipe();
    const restored = await weir("restore", file, "--yes");
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    await untilSame(before);
    expect(await told()).toEqual(before2);
  });

  it("gives the audit back, and the history, whose configs can be put in force again", async () => {
    const { entries } = (await call("GET", "/audit?operation=tripBreaker")) as { entries: { outcome: string }[] };
    expect(entries).toHaveLength(1);
    const { inForce } = (await call("GET", "/configs")) as { inForce: { number: number } };
    await call("POST", "/configs/rollback", { number: 3 }, { "if-match": `"${inForce.number}"` });
    expect(((await call("GET", "/configs/in-force")) as { text: string }).text).toContain('"burst":7000');
  });

  it("keeps the keys of a removed tenant ended for one of the same name", async () => {
    await call("PUT", "/tenants/gone", { plan: "small" });
    await waitUntil("the tenant is known", 5_000, async () => {
      const fresh = await makeKey("gone").catch(() => undefined);
      if (fresh === undefined) return false;
      return ((await decide(url(), "/", { "x-api-key": fresh.key })) as { status: number }).status === 200;
    });
    expect(await decide(url(), "/", { "x-api-key": keys["gone"] ?? "" })).toMatchObject({ status: 401 });
  });

  it("of what was made elsewhere takes --force, and then replaces the configs", async () => {
    const copy = join(folder.path, "copy.jsonl");
    copyFileSync(file, copy);
    expect((await weir("restore", copy, "--yes", "--force")).code).toBe(0);
    await waitUntil("the backup's config is in force", 5_000, async () =>
      ((await call("GET", "/configs/in-force")) as { text: string }).text.includes('"burst":6000'),
    );
  });
});
