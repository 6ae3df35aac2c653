import { env } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { type BackupLine, type BackupPage } from "../../src/admin/contract/recovery.ts";
import { CONTROL_OBJECT } from "../../src/protocol/control.ts";
import { AdminSite } from "./admin-site.ts";

afterEach(() => reset());

async function read(site: AdminSite, part: string): Promise<{ lines: BackupLine[]; pages: number }> {
  const { json } = await site.call("POST", "/backups", {});
  const lines: BackupLine[] = [];
  let pages = 0;
  for (let cursor: string | null = ""; cursor !== null; pages++) {
    const query: string = cursor === "" ? "" : `?cursor=${cursor}`;
    const answer = await site.call("GET", `/backups/${String(json["backup"])}/${part}${query}`);
    expect(answer.status, answer.text).toBe(200);
    const page = answer.json as unknown as BackupPage;
    lines.push(...page.lines);
    cursor = page.next;
  }
  return { lines, pages };
}

describe("pages of a backup", () => {
  it("have each version and each part of its content once, however large it is, in few pages", async () => {
    const control = env.CONTROL.getByName(CONTROL_OBJECT);
    const sizes = [10, 2_000_000, 10, 524_288, 524_289, ...Array.from({ length: 120 }, () => 5)];
    for (const [index, size] of sizes.entries()) {
      const packed = Uint8Array.from({ length: size }, (_, at) => (at * 31 + index) & 255);
      const write = {
        hash: `h${index}`,
        packed,
        text: `{"at":${index}}`,
        author: "x",
        message: "",
        originIds: ["app"],
      };
      await control.apply({ v: 1, ...write, expected: index, trial: undefined });
    }
    const { lines, pages } = await read(await AdminSite.make(), "configs");
    expect(pages).toBeLessThan(10);
    const numbers = lines.flatMap((line) => (line.kind === "config" ? [line.number] : []));
    expect(numbers).toEqual(sizes.map((_size, index) => index + 1));
    const parts = new Map<string, number>();
    for (const line of lines) {
      if (line.kind !== "config-content") continue;
      const name = `${line.number} ${line.of}`;
      expect(line.part).toBe(parts.get(name) ?? 0);
      parts.set(name, line.part + 1);
    }
    // Contents of the last hundred versions are kept.
    expect(parts.get("125 packed")).toBe(1);
    expect(parts.size).toBe(200);
    expect(lines.at(-1)).toMatchObject({ kind: "in-force", number: 125, trial: null });
  });

  it("have a large content in parts that are its bytes", async () => {
    const packed = crypto.getRandomValues(new Uint8Array(60_000));
    const whole = new Uint8Array(1_300_000).map((_, at) => packed[at % packed.length] ?? 0);
    const write = { hash: "h", packed: whole, text: "{}", author: "x", message: "", originIds: [] };
    await env.CONTROL.getByName(CONTROL_OBJECT).apply({ v: 1, ...write, expected: 0, trial: undefined });
    const { lines } = await read(await AdminSite.make(), "configs");
    const parts = lines.flatMap((line) => (line.kind === "config-content" && line.of === "packed" ? [line.bytes] : []));
    expect(parts).toHaveLength(3);
    const read2 = parts.map((text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0)));
    expect(new Uint8Array(await new Blob(read2).arrayBuffer())).toEqual(whole);
  });

  it("have each tenant once with the records of those that may have some, and nobody's object is made for it", async () => {
    const site = await AdminSite.make();
    const tenants = Array.from({ length: 450 }, (_, at) => ({ id: `t${String(at).padStart(3, "0")}`, plan: "open" }));
    await site.call("POST", "/tenants/import", { tenants });
    await site.call("POST", "/tenants/t007/keys", { label: "ci" });
    const { lines, pages } = await read(site, "tenants");
    expect(pages).toBe(3);
    expect(lines.flatMap((line) => (line.kind === "tenant" ? [line.id] : []))).toEqual(tenants.map(({ id }) => id));
    expect(lines.flatMap((line) => (line.kind === "key" ? [[line.tenant, line.label]] : []))).toEqual([["t007", "ci"]]);
  });

  it("have the audit with ids from -1 down, the newest first", async () => {
    const site = await AdminSite.make();
    for (let made = 0; made < 3; made++) await site.call("POST", "/tenants/acme/keys", {});
    const { lines } = await read(site, "audit");
    expect(lines.map((line) => (line.kind === "audit" ? [line.entryId, line.operation] : []))).toEqual([
      [-1, "beginBackup"],
      [-2, "createKey"],
      [-3, "createKey"],
      [-4, "createKey"],
    ]);
  });
});

describe("a page of a backup", () => {
  it("is not there for another token, after a day, nor with a cursor of somebody's own", async () => {
    const site = await AdminSite.make();
    const { token } = await site.makeToken({ role: "admin" });
    const { json } = await site.call("POST", "/backups", {});
    const path = `/backups/${String(json["backup"])}`;
    expect((await site.call("GET", `${path}/tokens`)).status).toBe(200);
    expect((await site.call("GET", `${path}/tokens`, undefined, { token })).status).toBe(404);
    expect((await site.call("GET", `${path.replace(/\d/, "9")}/tokens`)).status).toBe(404);
    for (const cursor of ["x", "-1.0", "1e9.1.1x", "1", "0.9e99"]) {
      expect([
        cursor,
        [200, 400].includes((await site.call("GET", `${path}/configs?cursor=${cursor}`)).status),
      ]).toEqual([cursor, true]);
    }
    expect((await site.call("GET", `${path}/records?tenants=${encodeURIComponent("../x")}`)).status).toBe(400);
  });
});
