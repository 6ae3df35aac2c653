/** One gateway with a real origin, and one browser, for all tests of the dashboard. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import axe from "axe-core";
import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { loadConfigFile } from "../../../cli/config-file.ts";
import { buildDashboard } from "../../../local/build-dashboard.ts";
import type { Gateway } from "../../../local/gateway.ts";
import type { CreatedToken } from "../../../src/admin/contract.ts";
import { type RunningBrowser, startBrowser } from "../../support/browser.ts";
import { ADMIN, keyFor, SECRETS, startTestGateway, temporaryFolder } from "../../support/gateway.ts";

const API = "/_weir/api/v1";
export const TOKEN = SECRETS.WEIR_ADMIN_TOKEN;

export interface Site {
  readonly url: string;
  readonly running: RunningBrowser;
  /** Of all the dashboard's files. */
  readonly gzippedBytes: number;
  readonly configText: (burst: number) => string;
  /** What pages complained of: errors of the console, of scripts, of the policy. */
  readonly complaints: string[];
  readonly originUrl: string;
  call(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Record<string, unknown>>;
  makeToken(role: string): Promise<CreatedToken>;
  /** Asks as this tenant, so often; the statuses. */
  askAs(tenant: string, times: number): Promise<readonly number[]>;
  /** A browser of somebody who has never been here. */
  visitor(options?: BrowserContextOptions): Promise<{ readonly context: BrowserContext; readonly page: Page }>;
  logIn(page: Page, token?: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startSite(): Promise<Site> {
  const folder = temporaryFolder();
  const origin = await startOrigin();
  const assets = join(folder.path, "assets");
  const files = await buildDashboard(assets);
  const configText = (burst: number): string => textOf(urlOf(origin), burst);
  const file = join(folder.path, "weir.jsonc");
  writeFileSync(file, configText(10));
  const loaded = await loadConfigFile(file, Date.now());
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { config, text } = loaded;
  const gateway: Gateway = await startTestGateway(config, { text, assets, adminPages: true });
  const url = gateway.urls[0] ?? "";
  const running = await startBrowser();
  const complaints: string[] = [];
  const call: Site["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${url}${API}${path}`, {
      method,
      headers: { ...ADMIN, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const value = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(value)}`);
    return value;
  };
  return {
    url,
    running,
    originUrl: urlOf(origin),
    gzippedBytes: files.reduce((sum, { gzippedBytes }) => sum + gzippedBytes, 0),
    configText,
    complaints,
    call,
    makeToken: async (role) => (await call("POST", "/tokens", { label: role, role })) as unknown as CreatedToken,
    askAs: async (tenant, times) => {
      const headers = await keyFor(tenant);
      return Promise.all(
        Array.from({ length: times }, async () => {
          const answer = await fetch(`${url}/catalog/boots`, { headers });
          await answer.text();
          return answer.status;
        }),
      );
    },
    visitor: async (options = {}) => {
      const context = await running.browser.newContext({
        viewport: { width: 1280, height: 800 },
        locale: "en-GB",
        reducedMotion: "reduce",
        ...options,
      });
      const page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      return { context, page };
    },
    logIn: async (page, token = TOKEN) => {
      await page.goto(`${url}/_weir/`);
      await page.getByLabel("Admin token").fill(token);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("navigation").waitFor();
    },
    stop: async () => {
      await running.stop();
      await gateway.stop();
      origin.close();
      origin.closeAllConnections();
      folder.remove();
    },
  };
}

async function startOrigin(): Promise<Server> {
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

/** `burst`: what two versions of it differ by. */
const textOf = (originUrl: string, burst: number): string => `{
  "version": 1,
  "origins": { "shop": { "url": "${originUrl}" } },
  "identity": [{ "type": "apiKey", "header": "authorization", "scheme": "Bearer" }],
  "plans": {
    // What the noisy one has.
    "small": { "limits": { "requests": { "rate": "1/s", "burst": ${burst} } } },
  },
  "tenants": { "acme": { "plan": "small" }, "globex": { "plan": "small" } },
  "objectives": { "shop-answers": { "origin": "shop", "kind": "good-or-degraded", "target": 0.999 } },
  "routes": [
    { "id": "catalog", "match": { "path": "/catalog/*" }, "origin": "shop" },
    { "id": "all", "match": { "path": "/*" }, "origin": "shop" },
  ],
}
`;

/** What axe finds, as `rule: elements`. `rules`: only these. */
export async function violationsOf(page: Page, rules?: readonly string[]): Promise<string[]> {
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.evaluate(axe.source);
  const options = { iframes: false, ...(rules === undefined ? {} : { runOnly: rules }) };
  const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, ${JSON.stringify(options)})`);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}
