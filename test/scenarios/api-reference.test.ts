/** The admin API's documents, from a real gateway: the one for programs is valid, the one for people is good to read. */
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import axe from "axe-core";
import { parse } from "parse5";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gateway } from "../../local/gateway.ts";
import type { ApiDocument } from "../../src/admin/openapi-types.ts";
import { hasBrowser, startBrowser } from "../support/browser.ts";
import { ADMIN, configOf, startTestGateway, temporaryFolder } from "../support/gateway.ts";

const folder = temporaryFolder();
let gateway: Gateway;
const url = (path: string): string => `${gateway.urls[0]}/_weir${path}`;

beforeAll(async () => {
  const config = await configOf(folder.path, {
    version: 1,
    origins: { app: { url: "http://127.0.0.1:9" } },
    identity: [{ type: "anonymous", plan: "open" }],
    plans: { open: { limits: { requests: { rate: "1/s", burst: 50 } } } },
    routes: [{ id: "all", match: { path: "/*" }, origin: "app" }],
  });
  gateway = await startTestGateway(config, { stateDir: join(folder.path, "objects"), adminPages: true });
});
afterAll(async () => {
  await gateway.stop();
  folder.remove();
});

describe("the OpenAPI document", () => {
  it("is valid OpenAPI 3.1, and describes and exemplifies everything it names", async () => {
    const document = (await (await fetch(url("/api/openapi.json"))).json()) as ApiDocument;
    const result = await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>);
    expect(result).toMatchObject({ valid: true });
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const operation of Object.values(methods)) {
        const named = operation.parameters.filter(({ in: place }) => place === "path").map(({ name }) => `{${name}}`);
        expect(path.match(/\{\w+\}/g) ?? []).toEqual(named);
        expect(operation.summary.length).toBeGreaterThan(5);
        expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["400", "403", "404", "429", "503"]));
        const body = operation.requestBody?.content["application/json"];
        if (body !== undefined) expect(body.example, operation.operationId).toBeTypeOf("object");
      }
    }
  });

  it("is shown without a token only where pages are open; nothing else is", async () => {
    expect((await fetch(url("/api/openapi.json"))).status).toBe(200);
    expect((await fetch(url("/api/v1/status"))).status).toBe(404);
    expect((await fetch(url("/api/v1/status"), { headers: ADMIN })).status).toBe(200);
  });
});

describe("the reference page", () => {
  it("is valid HTML", async () => {
    const html = await (await fetch(url("/api/"))).text();
    const errors: string[] = [];
    parse(html, { onParseError: ({ code, startLine, startCol }) => errors.push(`${startLine}:${startCol} ${code}`) });
    expect(errors).toEqual([]);
  });

  it.skipIf(!hasBrowser)(
    "has nothing that axe finds in either theme, loads nothing, and keeps its own policy",
    async () => {
      const running = await startBrowser();
      try {
        const page = await running.browser.newPage();
        const complaints: string[] = [];
        const requests: string[] = [];
        page.on("console", (message) => complaints.push(message.text()));
        page.on("pageerror", (error) => complaints.push(error.message));
        page.on("request", (request) => requests.push(request.url()));
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await page.goto(`${url("/api/")}#tripBreaker`);
          expect(await page.locator("article:target").getAttribute("id")).toBe("tripBreaker");
          await page.evaluate(axe.source);
          const { violations } = await page.evaluate<axe.AxeResults>(
            colorScheme === "light" ? "axe.run(document)" : 'axe.run(document, { runOnly: ["color-contrast"] })',
          );
          expect(violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes[0]?.html}`)).toEqual([]);
          await page.setViewportSize({ width: 320, height: 640 });
          expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
          await page.setViewportSize({ width: 1280, height: 800 });
          if (process.env["WEIR_SCREENSHOTS"] !== undefined) {
            await page.screenshot({ path: join(process.env["WEIR_SCREENSHOTS"], `reference-${colorScheme}.png`) });
          }
        }
        expect(complaints).toEqual([]);
        expect(new Set(requests.filter((request) => !request.startsWith("data:")))).toEqual(new Set([url("/api/")]));
      } finally {
        await running.stop();
      }
    },
  );
});
