/** Parsers of credentials and of what admins send: what to feed them with, and what must hold whatever comes out. */
import { decodeProtectedHeader } from "jose";
import { expect } from "vitest";
import { applyBody } from "../../src/admin/contract/configs.ts";
import { backupHeader, backupLine, backupTrailer } from "../../src/admin/contract/recovery.ts";
import { MAX_LINE_LENGTH } from "../../src/admin/contract.ts";
import { type Config } from "../../src/config/model.ts";
import { privateTargets } from "../../src/config/url-check.ts";
import { mintAdminToken, verifyAdminToken } from "../../src/platform/admin-token.ts";
import { logLine, MAX_LINE_BYTES } from "../../src/platform/log.ts";
import { importKeySecret, mintApiKey, verifyApiKey } from "../../src/platform/api-key.ts";
import { shownPath } from "../../src/policy/tail/shown-path.ts";
import { parseTokenHeader, readClaims } from "../../src/policy/identity/token.ts";
import { damaged, type Random } from "./inputs.ts";
import { target, type Target } from "./targets.ts";

const SECRET = "fuzz-key-secret-0123456789abcdefghij";
const secret = await importKeySecret(SECRET);
const ID = "0123456789abcdef";
const TOKEN = await mintAdminToken(secret, ID);
const SCOPED = await mintApiKey(SECRET, {
  tenantId: "acme",
  keyId: ID,
  scopes: ["route:orders"],
  expiresAtMs: 1_800_000_000_000,
});

const adminTokens = target({
  name: "tokens of the admin API",
  make: (random) => damaged(random, TOKEN, ["weiradm_", "_", "=", "-", "A", "0"]),
  parse: (text) => verifyAdminToken(secret, text),
  check: (id, text) => {
    if (id !== undefined) expect(text).toBe(TOKEN);
  },
  adversarial: ["weiradm_", "_", "0", "A", "="],
});

const scopedKeys = target({
  name: "API keys with an expiry and scopes",
  make: (random) => damaged(random, SCOPED, ["weir2_", "weir_", "_", "=", "-", "|", "A", "0"]),
  parse: (text) => verifyApiKey(secret, text),
  check: (claims, text) => {
    if (claims !== undefined) expect(text).toBe(SCOPED);
  },
  adversarial: ["weir2_", "weir2_A", "|", "=", "_"],
});

const JSON_PIECES = [
  "{",
  "}",
  "[",
  "]",
  '"',
  ":",
  ",",
  "null",
  "1e999",
  "-0",
  '"__proto__":',
  "\\u0000",
  "\\ud800",
  "  ",
];
const encoded = (text: string): string => Buffer.from(text).toString("base64url");
const RULE = { tenantClaim: "tenant", planClaim: "plan", clockToleranceMs: 0 };
const HEADER = '{"alg":"ES256","kid":"k1","typ":"JWT"}';
const PAYLOAD =
  '{"iss":"https://issuer.example","aud":["api"],"sub":"ann","tenant":"acme","plan":"pro","exp":1800000000}';

const jwts = target({
  name: "headers and payloads of JWTs",
  make: (random) => {
    const [header, payload] = [damaged(random, HEADER, JSON_PIECES), damaged(random, PAYLOAD, JSON_PIECES)];
    return damaged(random, `${encoded(header)}.${encoded(payload)}.AAAA`, random() < 0.8 ? [""] : [".", "=", "-"]);
  },
  parse: (text) => {
    let header: unknown;
    let payload: unknown;
    try {
      header = decodeProtectedHeader(text);
      payload = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString());
    } catch {
      return undefined;
    }
    if (typeof payload !== "object" || payload === null) return undefined;
    return [parseTokenHeader(header, ["ES256"]), readClaims({ ...payload }, RULE)] as const;
  },
  check: (parsed) => {
    const [header, claims] = parsed ?? [];
    if (header !== undefined) expect(header.alg).toBe("ES256");
    // Whether there is such a tenant is asked later.
    if (claims !== undefined && !Number.isFinite(claims.expiresAtMs)) {
      throw new Error(JSON.stringify(claims));
    }
  },
  adversarial: ["e30.", ".", "A", "eyJ", encoded('{"a":'), "="],
});

const LINES = [
  '{"kind":"tenant","id":"acme","settings":{"plan":"open"},"label":"","suspended":null,"createdAtMs":1,"updatedAtMs":1}',
  `{"kind":"key","tenant":"acme","keyId":"${ID}","label":"","scopes":["read"],"createdAtMs":1,"expiresAtMs":null,"revokedAtMs":5,"endsAtMs":null,"replacedBy":null,"lastUsedAtMs":null}`,
  '{"kind":"override","tenant":"acme","limitId":"r","spec":{"kind":"bucket","refillNumerator":1,"refillDenominator":1,"burstMicro":5},"reason":"","setAtMs":1,"expiresAtMs":2}',
  '{"kind":"config-content","number":1,"of":"packed","part":0,"bytes":"H4sIAAAAAAAA"}',
  '{"kind":"in-force","number":1,"sequence":3,"trial":null,"lastDeploy":{"configVersion":1,"hash":"a"}}',
  `{"kind":"token","tokenId":"${ID}","label":"ci","role":"reader","tenants":["acme"],"createdAtMs":1,"createdBy":"root","expiresAtMs":2,"revokedAtMs":null,"lastUsedAtMs":null}`,
  '{"v":1,"kind":"weir-backup","release":"0.1.0","createdAt":"2026-11-26T06:00:00.000Z","source":"x","audit":true}',
  `{"kind":"end","counts":{"tenant":1},"sha256":"${"a".repeat(64)}"}`,
] as const;
const pick = (random: Random, texts: readonly string[]): string => texts[Math.floor(random() * texts.length)] ?? "";

const lines = target({
  name: "lines of a backup",
  make: (random) => damaged(random, pick(random, LINES), [...JSON_PIECES, "1000000000", '"kind":"', "tenant"]),
  parse: (text) => {
    if (text.length > MAX_LINE_LENGTH) return [];
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return [];
    }
    return [backupHeader, backupLine, backupTrailer].map((schema) => schema.safeParse(value));
  },
  check: (results) => {
    const taken = results.filter(({ success }) => success);
    expect(taken.length).toBeLessThanOrEqual(1);
    expect(({} as { kind?: string }).kind).toBeUndefined();
  },
  adversarial: ["[", '{"a":', '{"kind":"tenant",', "\\u0000", '"', "1", '{"__proto__":'],
});

const BODY = '{"text":"{}","message":"m","by":"ann","dryRun":true,"canary":{"shareRatio":0.05,"forMs":60000}}';
const bodies = target({
  name: "bodies of an apply",
  make: (random) => damaged(random, BODY, [...JSON_PIECES, '"pages":{', '"canary":', "0.5"]),
  parse: (text) => {
    try {
      return applyBody.safeParse(JSON.parse(text));
    } catch {
      return undefined;
    }
  },
  check: (result) => {
    if (result?.success !== true || result.data.canary === undefined) return;
    const { shareRatio, forMs } = result.data.canary;
    if (!(shareRatio > 0 && shareRatio <= 1 && forMs >= 1_000)) throw new Error(JSON.stringify(result.data.canary));
  },
  adversarial: ["[", '{"text":', '"', "\\", "{"],
});

/** 0..2^32 in a notation that URLs take. */
function notation(random: Random, value: number): string {
  const bytes = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
  const mixed = bytes.map((byte) => pick(random, [String(byte), `0x${byte.toString(16)}`, `0${byte.toString(8)}`]));
  const hex = value.toString(16).padStart(8, "0");
  return pick(random, [
    mixed.join("."),
    String(value),
    `0x${hex}`,
    `0${value.toString(8)}`,
    `${bytes[0]}.${value & 0xff_ffff}`,
    `[::ffff:${hex.slice(0, 4)}:${hex.slice(4)}]`,
    `[::ffff:${bytes.join(".")}]`,
    `[64:ff9b::${hex.slice(0, 4)}:${hex.slice(4)}]`,
  ]);
}

/** First addresses of private networks, and how many bits are free in them. */
const NETWORKS = [
  [0x7f00_0000, 24],
  [0x0a00_0000, 24],
  [0xac10_0000, 20],
  [0xc0a8_0000, 16],
  [0xa9fe_0000, 16],
  [0x6440_0000, 22],
  [0x0000_0000, 24],
] as const;

const addresses = target({
  name: "addresses of private networks in any notation",
  make: (random) => {
    const [base, bits] = NETWORKS[Math.floor(random() * NETWORKS.length)] ?? [0, 0];
    const host = notation(random, (base + Math.floor(random() * 2 ** bits)) >>> 0);
    return `http${pick(random, ["", "s"])}://${host}${pick(random, ["", ".", ":80", "/a", "/?b"])}`;
  },
  parse: (url) =>
    privateTargets({ origins: [{ id: "a", url }], identity: [], alerts: { receivers: [] } } as unknown as Config),
  check: (found) => {
    expect(found).toHaveLength(1);
  },
  adversarial: ["http://", "1.", "[::", "localhost.", "@", "0x", "http://a."],
});

const logLines = target({
  name: "log lines",
  make: (random) =>
    damaged(random, "/a;b=c/eyJ.x/weir_x", ["\u001b[2J", "\u202e", "\r\n", '"', "\\", "\ud83d", "日", "/", ";"]),
  parse: (text) =>
    logLine("warn", 0, { path: shownPath(text), tenant: text, status: 429, refusal: null, violated: [text, text] }),
  check: (line) => {
    expect(JSON.parse(line)).toMatchObject({ level: "warn", status: 429 });
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]*$/u);
  },
  adversarial: ["/", ";", "eyJ", "=", "%3D", '"', "\u202e", "日"],
});

export const CONTROL_TARGETS: readonly Target[] = [adminTokens, scopedKeys, jwts, lines, bodies, addresses, logLines];
