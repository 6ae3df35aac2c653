/** Attack: a file that is given to `weir restore` and is no backup, or was one. It is refused before a gateway is asked. */
import { createHash } from "node:crypto";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { backupLines, BackupSums, checkBackup } from "../../cli/backup-file.ts";
import { temporaryFolder } from "../support/gateway.ts";
import { run } from "../support/process.ts";

const folder = temporaryFolder();
afterAll(() => {
  folder.remove();
});
const file = join(folder.path, "backup.jsonl");

const HEADER = {
  v: 1,
  kind: "weir-backup",
  release: "0.1.0",
  createdAt: "2026-11-26T06:00:00.000Z",
  source: "https://weir.example",
  audit: false,
};
const tenant = (id: string) => ({
  kind: "tenant",
  id,
  settings: { plan: "open" },
  label: "",
  suspended: null,
  createdAtMs: 1,
  updatedAtMs: 1,
});

function written(lines: readonly string[], end: object = {}): string {
  const text = lines.map((line) => `${line}\n`).join("");
  const sha256 = createHash("sha256").update(text).digest("hex");
  const last = { kind: "end", counts: { tenant: lines.length - 1 }, sha256, ...end };
  writeFileSync(file, `${text}${JSON.stringify(last)}\n`);
  return file;
}
const GOOD = [HEADER, tenant("a"), tenant("b")].map((line) => JSON.stringify(line));

describe("a file that is no backup", () => {
  it("is refused for what it is: the same without the damage is taken", async () => {
    expect((await checkBackup(written(GOOD))).counts).toEqual({ tenant: 2 });
  });

  it("with a line without an end is refused when the line is too long, however much follows", async () => {
    const out = openSync(file, "w");
    writeSync(out, `${GOOD[0]}\n{"kind":"tenant","id":"`);
    const piece = "a".repeat(1_048_576);
    for (let count = 0; count < 64; count++) writeSync(out, piece);
    closeSync(out);
    const before = process.memoryUsage().rss;
    await expect(checkBackup(file)).rejects.toThrow("line 2 has more than");
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
  });

  it.each<[string, readonly string[], object, string]>([
    ["with a thousand million tenants by its end", GOOD, { counts: { tenant: 1e9 } }, "not as many"],
    ["with counts that are no numbers", GOOD, { counts: { tenant: "2" } }, "line 4"],
    ["with counts beyond all numbers", GOOD, { counts: { tenant: 1e300 } }, "line 4"],
    ["with a kind more in its counts", GOOD, { counts: { tenant: 2, key: 1 } }, "not as many"],
    ["with a sum that is none", GOOD, { sha256: "x" }, "line 4"],
    ["with the sum of another", GOOD, { sha256: "0".repeat(64) }, "sum"],
    ["with its header twice", [GOOD[0] ?? "", GOOD[0] ?? ""], {}, "line 2"],
    ["with a prototype for a kind", [GOOD[0] ?? "", '{"kind":"__proto__"}'], {}, "line 2"],
    [
      "with a prototype for a field",
      [GOOD[0] ?? "", (GOOD[1] ?? "").replace("{", '{"__proto__":{"x":1},')],
      {},
      "line 2",
    ],
    ["nested a hundred thousand deep", [GOOD[0] ?? "", "[".repeat(100_000)], {}, "line 2 is not JSON"],
    ["of a version before all", [JSON.stringify({ ...HEADER, v: 0 })], {}, "line 1"],
    ["of a version that is text", [JSON.stringify({ ...HEADER, v: "1" })], {}, "line 1"],
    [
      "of a version beyond numbers",
      [JSON.stringify({ ...HEADER, v: 1 }).replace(":1", ":1e999")],
      {},
      "version Infinity",
    ],
    ["without a header", GOOD.slice(1), {}, "no backup"],
  ])("%s is refused", async (_what, lines, end, said) => {
    await expect(checkBackup(written(lines, end))).rejects.toThrow(said);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it("that is changed between the check and the sending has another sum", async () => {
    const { sha256 } = await checkBackup(written(GOOD));
    written([...GOOD, JSON.stringify(tenant("c"))]);
    const sums = new BackupSums();
    for await (const line of backupLines(file, sums)) expect(line.kind).toBe("tenant");
    expect(sums.digest()).not.toBe(sha256);
  });

  it("is refused by the command before a gateway is looked for, and so is none at all", async () => {
    written(GOOD, { sha256: "0".repeat(64) });
    const nowhere = { WEIR_URL: "http://127.0.0.1:9", WEIR_TOKEN: "x" };
    const refused = await run("cli/weir.ts", ["restore", file, "--yes"], nowhere);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("was changed");
    const missing = await run("cli/weir.ts", ["restore", join(folder.path, "none"), "--json"], nowhere);
    expect([missing.code, JSON.parse(missing.stderr)]).toEqual([1, expect.objectContaining({ exitCode: 1 })]);
  });
});
