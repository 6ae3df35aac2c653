/**
 * The built-in pages, and the repository's own, in a real browser: as a caller would get them, with their headers. Valid
 * HTML, nothing that axe finds in either theme, nothing loaded, nothing refused by their own policy, nothing cut off.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import axe from "axe-core";
import { parse } from "parse5";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfigFile } from "../../cli/config-file.ts";
import { compileTables } from "../../src/config/compile.ts";
import { PAGE_KINDS, PAGE_LANGUAGES, type PageKind } from "../../src/config/pages/vocabulary.ts";
import type { Tables } from "../../src/config/tables.ts";
import { lastResort } from "../../src/edge/last-resort.ts";
import { pageResponse } from "../../src/edge/pages.ts";
import { hasBrowser, type RunningBrowser, startBrowser } from "../support/browser.ts";

const STATUS: Readonly<Record<PageKind, number>> = {
  outage: 503,
  overloaded: 503,
  "bad-gateway": 502,
  maintenance: 503,
  limited: 429,
  "not-found": 404,
  unauthenticated: 401,
  denied: 403,
  refused: 400,
};
const OWN = "own";
const LAST = "last";
const THEMES = ["light", "dark"] as const;

/** `/KIND/LANGUAGE` answers with that page. */
function answerOf(tables: Tables, path: string): Response {
  const [, kind = "", language = ""] = path.split("/");
  if (kind === LAST) return lastResort("0123456789abcdef", "text/html");
  const known = PAGE_KINDS.find((one) => one === kind) ?? "outage";
  return pageResponse(tables.pages, {
    kind: known,
    status: STATUS[known],
    request: { method: "GET", headers: new Headers({ accept: "text/html", "accept-language": language }) },
    requestId: "5f2c9a7be1d0000000000a3f",
    retryAfterMs: known === "not-found" ? undefined : 30_000,
    routeId: "all",
    originId: "app",
    own: kind === OWN ? tables.routes.find(({ pages }) => pages !== undefined)?.pages : undefined,
    problem: undefined,
  });
}

const CASES = [
  ...PAGE_KINDS.flatMap((kind) => PAGE_LANGUAGES.map((language) => [kind, language] as const)),
  ...(["en", "de"] as const).map((language) => [OWN, language] as const),
  [LAST, "en"] as const,
];

/** The pages differ by language in their words alone: each language once, all of them in the drill. */
const IN_BROWSER = CASES.filter(
  ([kind, language]) => process.env["WEIR_DRILL"] === "1" || kind === "outage" || kind === OWN || language === "en",
);

let tables: Tables;
let server: Server;
let url: string;

beforeAll(async () => {
  const loaded = await loadConfigFile("weir.jsonc", 1);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  tables = compileTables(loaded.config);
  server = createServer((request, response) => {
    const answer = answerOf(tables, request.url ?? "");
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    void answer.text().then((text) => response.end(text));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

describe("each page", () => {
  it.each(CASES)("is valid HTML: %s in %s", async (kind, language) => {
    const html = await answerOf(tables, `/${kind}/${language}`).text();
    const errors: string[] = [];
    parse(html, { onParseError: ({ code, startLine, startCol }) => errors.push(`${startLine}:${startCol} ${code}`) });
    expect(errors).toEqual([]);
    for (const once of ["<main", "<h1", "<title", `<html lang="${language}"`, '<meta charset="utf-8"', "</html>"]) {
      expect(html.split(once)).toHaveLength(2);
    }
  });
});

describe.skipIf(!hasBrowser)("in a browser", () => {
  let running: RunningBrowser;
  let page: Page;
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    running = await startBrowser();
    page = await running.browser.newPage();
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => {
      // That the page has status 503 is no complaint.
      if (message.type() === "error" && !message.text().includes("Failed to load resource")) {
        complaints.push(message.text());
      }
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  afterAll(() => running.stop());

  const open = async (kind: string, language: string): Promise<string> => {
    requests.length = 0;
    complaints.length = 0;
    const target = `${url}/${kind}/${language}`;
    await page.goto(target);
    return target;
  };
  const measure = <Value>(expression: string): Promise<Value> => page.evaluate<Value>(expression);

  it.each(IN_BROWSER)("axe finds nothing in either theme: %s in %s", async (kind, language) => {
    for (const colorScheme of THEMES) {
      await page.emulateMedia({ colorScheme });
      const target = await open(kind, language);
      await page.evaluate(axe.source);
      const { violations, incomplete, passes } = await measure<axe.AxeResults>("axe.run(document)");
      expect(violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes[0]?.html}`)).toEqual([]);
      // The last rung brings no style: its colours are the browser's, of which axe cannot always tell.
      if (kind !== LAST) {
        expect(incomplete.map(({ id }) => id)).toEqual([]);
        expect(passes.map(({ id }) => id)).toContain("color-contrast");
      }
      expect(requests.filter((request) => !request.startsWith("data:"))).toEqual([target]);
      expect(complaints).toEqual([]);
    }
  });

  it.each([320, 1_280])("nothing is cut off at %i pixels", async (width) => {
    await page.setViewportSize({ width, height: 640 });
    for (const [kind, language] of IN_BROWSER) {
      await open(kind, language);
      const wide = await measure<number>("document.documentElement.scrollWidth");
      expect(`${kind} ${language}: ${wide}`).toBe(`${kind} ${language}: ${width}`);
    }
  });

  it("its own style is applied, in a light and a dark theme, under a policy that allows no other", async () => {
    const grounds: string[] = [];
    for (const colorScheme of THEMES) {
      await page.emulateMedia({ colorScheme });
      await open("outage", "en");
      grounds.push(await measure("getComputedStyle(document.body).backgroundColor"));
    }
    expect(grounds).toEqual(["rgb(243, 245, 248)", "rgb(16, 20, 25)"]);
    const add = `document.head.insertAdjacentHTML("beforeend", "<style>body{background:red!important}</style>")`;
    await measure<undefined>(add);
    expect(await measure("getComputedStyle(document.body).backgroundColor")).toBe(grounds[1]);
    expect(complaints.join("\n")).toContain("Content Security Policy");
  });

  it("can be read and left by keyboard", async () => {
    await open("outage", "en");
    await page.keyboard.press("Tab");
    expect(await measure("document.activeElement.textContent")).toBe("Try again");
    const answered = page.waitForResponse(`${url}/outage/en`);
    await page.keyboard.press("Enter");
    expect((await answered).status()).toBe(503);
  });
});
