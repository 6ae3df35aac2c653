/** What docs/monitoring.md shows can be used as it stands: configs, commands, the check of a signature. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { argumentsOf, findCommand } from "../../cli/command-tree.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { loadConfig } from "../../src/config/load.ts";

const docs = readFileSync(join(import.meta.dirname, "..", "..", "docs", "monitoring.md"), "utf8");

function blocks(language: string): readonly string[] {
  const fence = "```";
  return [...docs.matchAll(new RegExp(`^${fence}${language}\\n([^]*?)^${fence}$`, "gm"))].map(([, text = ""]) => text);
}

it("its pieces of config are valid, beside each other", async () => {
  const pieces = blocks("jsonc");
  expect(pieces).toHaveLength(2);
  const text = `{
    "version": 1,
    "origins": { "shop": { "url": "https://shop.example" } },
    "identity": [{ "type": "anonymous", "plan": "open" }],
    "plans": { "open": {} },
    "routes": [{ "id": "search", "match": { "path": "/search" }, "origin": "shop" }],
    ${pieces.map((piece) => piece.trimEnd()).join(",\n")}
  }`;
  const loaded = await loadConfig(text, { configVersion: 1, readPage: async () => undefined });
  expect(loaded).toMatchObject({ ok: true });
  if (!loaded.ok) return;
  expect(loaded.config.objectives.map(({ id }) => id)).toEqual(["shop-good", "shop-answers", "search-fast"]);
  expect(loaded.config.alerts.receivers.map(({ severity }) => severity)).toEqual(["page", "info", "ticket", "info"]);
});

it("its check of a signature takes what Standard Webhooks signs, and nothing that was changed, late or another's", async () => {
  const [code = ""] = blocks("js");
  const folder = mkdtempSync(join(tmpdir(), "weir-docs-"));
  try {
    writeFileSync(join(folder, "check.mjs"), code);
    const { isGenuine } = (await import(join(folder, "check.mjs"))) as {
      isGenuine: (headers: Record<string, string>, body: string, secret: string, nowSeconds?: number) => boolean;
    };
    const secret = `whsec_${Buffer.from("a secret of thirty-two characters").toString("base64")}`;
    const body = '{"type":"weir.alerts"}';
    const at = new Date();
    const headers = {
      "webhook-id": "weir_1",
      "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
      "webhook-signature": `v1,AAAA ${new Webhook(secret).sign("weir_1", at, body)}`,
    };
    expect(isGenuine(headers, body, secret)).toBe(true);
    expect(isGenuine(headers, `${body} `, secret)).toBe(false);
    expect(isGenuine({ ...headers, "webhook-id": "weir_2" }, body, secret)).toBe(false);
    expect(isGenuine(headers, body, `whsec_${Buffer.from("another").toString("base64")}`)).toBe(false);
    expect(isGenuine(headers, body, secret, at.getTime() / 1_000 + 400)).toBe(false);
    expect(isGenuine({}, body, secret)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("its commands exist, with these options", async () => {
  const lines = [...docs.matchAll(/(?:`|^npm run |`npm run )weir (?:-- )?([a-z][^`\n>]*)/gm)].map(([, line = ""]) => line);
  expect(lines.length).toBeGreaterThan(20);
  for (const line of lines) {
    const words = line.replaceAll(/[[\]]/g, "").trim().split(/\s+/);
    const named = await findCommand(COMMANDS, words);
    expect([line, "command" in named]).toEqual([line, true]);
    if (!("command" in named)) continue;
    const known = argumentsOf(named.command).map(([name]) => name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`));
    const options = words.filter((word) => word.startsWith("--")).map((word) => word.slice(2));
    expect([line, options.filter((option) => !known.includes(option))]).toEqual([line, []]);
  }
});
