/**
 * The dashboard in a real browser, against a real gateway in front of a real origin: what an SRE does with it, how it looks
 * to those who do not see, or see little, what it does when the gateway is away, and what its markup may not do.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser } from "../support/browser.ts";
import { waitUntil } from "../support/gateway.ts";
import { showOutage, tickAt } from "./support/outage.ts";
import { type Site, startSite, TOKEN, violationsOf } from "./support/site.ts";

const ARTEFACTS = join(import.meta.dirname, "..", "..", "test-artefacts");
const BUDGET_BYTES = 150 * 1_024;
const PAGES = [
  "overview",
  "breakers",
  "breakers/shop",
  "tenants",
  "tenants/acme",
  "degradation",
  "alerts",
  "configs",
  "audit",
];

/** The same page in the dark differs by its colours; undefined: all rules. */
const DARK_RULES = process.env["WEIR_DRILL"] === "1" ? undefined : ["color-contrast"];

describe.skipIf(!hasBrowser)("the dashboard", () => {
  let site: Site;
  let page: Page;
  let context: BrowserContext;

  beforeAll(async () => {
    mkdirSync(ARTEFACTS, { recursive: true });
    site = await startSite();
  });
  afterAll(() => site.stop());

  async function visit(options: Parameters<Site["visitor"]>[0] = {}): Promise<void> {
    ({ page, context } = await site.visitor(options));
  }
  const goTo = async (place: string): Promise<void> => {
    await page.evaluate(`location.hash = ${JSON.stringify(`#/${place}`)}`);
    await page.locator("h1").waitFor();
    await page.locator(".loading").first().waitFor({ state: "detached" });
  };
  const dialog = () => page.getByRole("dialog");

  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") {
      await page.screenshot({ path: join(ARTEFACTS, `failed-${task.name.slice(0, 40).replaceAll(/\W+/g, "-")}.png`) });
    }
    await context.close();
    // What is refused in a test's course is its own matter; errors of scripts and of the policy are nobody's.
    expect(site.complaints.splice(0).filter((text) => !text.startsWith("Failed to load resource"))).toEqual([]);
  });

  it("weighs at most 150 KiB, and paints within a second", async () => {
    await visit();
    await page.goto(`${site.url}/_weir/`);
    await page.getByLabel("Admin token").waitFor();
    const paintMs = await page.evaluate<number>(
      'performance.getEntriesByName("first-contentful-paint").at(0)?.startTime ?? Infinity',
    );
    console.log(
      `dashboard: ${(site.gzippedBytes / 1_024).toFixed(1)} KiB gzipped, first paint ${paintMs.toFixed(0)} ms`,
    );
    expect(site.gzippedBytes).toBeLessThanOrEqual(BUDGET_BYTES);
    expect(paintMs).toBeLessThanOrEqual(1_000);
  });

  it("opens in a browser whose language is written in no form that is one", async () => {
    await visit();
    await page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, "language", { configurable: true, get: () => "en-US@posix" });
    });
    await site.logIn(page);
    await page.getByRole("heading", { level: 1 }).waitFor();
  });

  describe("logging in", () => {
    it("takes a token that holds, keeps it nowhere, and lasts over a reload until one logs out", async () => {
      await visit();
      const asked: string[] = [];
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(`${site.url}/_weir/`);
      await page.getByLabel("Admin token").fill("not-a-token");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByText("That is not a token that holds here.").waitFor();
      await page.getByLabel("Admin token").fill(TOKEN);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      const [cookie] = await context.cookies(`${site.url}/_weir/`);
      expect(cookie).toMatchObject({ name: "weir_session", path: "/_weir/", httpOnly: true, sameSite: "Strict" });
      expect(await context.cookies(`${site.url}/catalog/boots`)).toEqual([]);
      const kept = await page.evaluate<string>(
        "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])",
      );
      for (const text of [kept, cookie?.value ?? "", ...asked]) expect(text).not.toContain(TOKEN);
      await page.reload();
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      await page.getByRole("button", { name: "Log out" }).click();
      await page.getByLabel("Admin token").waitFor();
      expect(await context.cookies(`${site.url}/_weir/`)).toEqual([]);
    });

    it("is asked for again within seconds once the token is revoked", async () => {
      const { token, tokenId } = await site.makeToken("operator");
      await visit();
      await site.logIn(page, token);
      await site.call("DELETE", `/tokens/${tokenId}`);
      await page.getByText("Your session is over").waitFor({ timeout: 10_000 });
    });

    it("shows a reader nothing that it may not press", async () => {
      const { token } = await site.makeToken("reader");
      await visit();
      await site.logIn(page, token);
      for (const place of ["breakers", "tenants/acme", "degradation", "configs"]) {
        await goTo(place);
        await page.locator("main table, main .panel").first().waitFor();
        expect([place, await page.getByRole("button", { name: /…$/ }).count()]).toEqual([place, 0]);
      }
    });
  });

  describe("an operator", () => {
    beforeAll(async () => {
      const { inForce } = await site.call("GET", "/configs");
      const number = (inForce as { number: number } | null)?.number ?? 0;
      const body = { text: site.configText(20), message: "twice as much" };
      await site.call("POST", "/configs", body, { "if-match": `"${number}"` });
    });

    it("trips a breaker and resets it, with a reason, after a second look", async () => {
      await visit();
      await site.logIn(page);
      await goTo("breakers");
      const card = page.getByRole("region", { name: "shop" });
      await card.getByRole("button", { name: "Trip…" }).click();
      await dialog().getByRole("button", { name: "Trip shop" }).click();
      // No reason was given: nothing is done.
      await dialog().getByLabel("Reason").fill("vendor asked us to");
      expect(await site.call("GET", "/breakers/shop")).toMatchObject({ forced: null });
      await dialog().getByRole("button", { name: "Trip shop" }).click();
      await card.getByText("open, by hand").waitFor();
      await card.getByText("vendor asked us to").first().waitFor();
      expect(await site.call("GET", "/breakers/shop")).toMatchObject({ forced: { state: "open" } });
      await page.screenshot({ path: join(ARTEFACTS, "breaker-tripped.png") });
      await card.getByRole("button", { name: "Reset…" }).click();
      await dialog().getByLabel("Reason").fill("it is well again");
      await dialog().getByRole("button", { name: "Reset shop" }).click();
      await card.getByText("closed", { exact: true }).waitFor();
      expect(await site.call("GET", "/breakers/shop")).toMatchObject({ state: "closed", forced: null });
      await goTo("breakers/shop");
      await page.getByRole("cell", { name: "vendor asked us to" }).first().waitFor();
    });

    it("overrides a limit in two clicks, and sees it in force", async () => {
      await visit();
      await site.logIn(page);
      await goTo("tenants/acme");
      await page.getByRole("button", { name: "Override…" }).first().click();
      // Filled in with twice what is in force.
      expect(await dialog().getByLabel("Rate").inputValue()).toBe("2/s");
      await dialog().getByLabel("Rate").fill("3/s");
      await dialog().getByLabel("Burst, tokens").fill("40");
      await dialog().getByLabel("Reason").fill("a sale until noon");
      await dialog().getByRole("button", { name: "Apply override" }).click();
      await page.getByText("overridden", { exact: true }).waitFor();
      await page.getByText("a sale until noon").waitFor();
      expect(await site.call("GET", "/tenants/acme/overrides")).toMatchObject({
        overrides: [{ limit: "requests", inForce: "3/s, burst 40", reason: "a sale until noon" }],
      });
      await page.getByRole("button", { name: "End…" }).click();
      await dialog().getByRole("button", { name: "End override" }).click();
      await page.getByText("overridden", { exact: true }).waitFor({ state: "detached" });
    });

    it("sees what a config changed, and rolls it back", async () => {
      await visit();
      await site.logIn(page);
      await goTo("configs");
      const lines = page.getByRole("region", { name: "Lines that differ" });
      await lines.getByText('"burst": 20').waitFor();
      expect(await lines.locator("tr.removed").count()).toBe(1);
      expect(await lines.locator("tr.added").innerText()).toContain('"burst": 20');
      await page.screenshot({ path: join(ARTEFACTS, "config-diff.png"), fullPage: true });
      await page.getByRole("button", { name: "Roll back…" }).last().click();
      await dialog().getByLabel("Why").fill("too much");
      await dialog()
        .getByRole("button", { name: /^Put \d+ in force$/ })
        .click();
      await page.getByText("too much").waitFor();
      const { text } = await site.call("GET", "/configs/in-force");
      expect(text).toBe(site.configText(10));
    });

    it("sees a page as users would, under its own policy", async () => {
      await visit();
      await site.logIn(page);
      await goTo("degradation");
      const shown = page.frameLocator("iframe");
      await shown.getByRole("heading", { name: "We will be right back" }).waitFor();
      await page.getByLabel("Language").selectOption("de");
      await shown
        .getByRole("heading", { name: "Gleich geht es weiter" })
        .or(shown.locator("html[lang=de]"))
        .first()
        .waitFor();
      expect(await shown.locator("html").getAttribute("lang")).toBe("de");
      await page.getByLabel("When it is").selectOption("limited");
      await page.getByText("429").first().waitFor();
      expect(await page.locator("iframe").getAttribute("sandbox")).toBe("");
    });
  });

  describe("in an outage", () => {
    it("has nothing that axe finds on any page, in either theme, and no page is wider than a phone", async () => {
      await visit({ colorScheme: "light" });
      await showOutage(page);
      await site.logIn(page);
      for (const place of PAGES) {
        await goTo(place);
        expect([place, await violationsOf(page)]).toEqual([place, []]);
        await page.emulateMedia({ colorScheme: "dark" });
        expect([place, await violationsOf(page, DARK_RULES)]).toEqual([place, []]);
        if (place === "overview") await page.screenshot({ path: join(ARTEFACTS, "overview-dark.png"), fullPage: true });
        await page.setViewportSize({ width: 360, height: 740 });
        expect([place, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([place, 360]);
        await page.setViewportSize({ width: 1280, height: 800 });
        await page.emulateMedia({ colorScheme: "light" });
        await page.screenshot({ path: join(ARTEFACTS, `${place.replace("/", "-")}.png`), fullPage: true });
      }
    });

    it("says first what fails, what users get instead, and who is throttled; a chart has its table", async () => {
      await visit();
      await showOutage(page);
      await site.logIn(page);
      const attention = page.getByRole("region", { name: "Needs attention" });
      await attention.getByText(/Users get: stale \d+ %/).waitFor();
      await attention.getByText(/^globex: [\d,]+ of [\d,]+ requests/).waitFor();
      const traffic = page.getByRole("region", { name: "Traffic" });
      await traffic.getByRole("button", { name: "Table of Requests by outcome" }).click();
      expect(await traffic.getByRole("columnheader").allInnerTexts()).toEqual(
        expect.arrayContaining(["Time", "origin", "degraded", "throttled"]),
      );
      expect(await traffic.getByRole("row").count()).toBeGreaterThan(30);
      await traffic.getByRole("button", { name: "1 h" }).click();
      await traffic.getByRole("row").nth(50).waitFor();
    });

    it("can be used by keyboard alone: to the page, through a dialog and back to the button it came from", async () => {
      await visit();
      await showOutage(page);
      await site.logIn(page);
      await goTo("breakers");
      await page.reload();
      await page.getByRole("button", { name: "Trip…" }).first().waitFor();
      await page.keyboard.press("Tab");
      expect(await page.evaluate("document.activeElement?.textContent")).toBe("To the page");
      await page.keyboard.press("Enter");
      expect(await page.evaluate("document.activeElement?.id")).toBe("main");
      const trip = page.getByRole("button", { name: "Trip…" }).first();
      await trip.focus();
      await page.keyboard.press("Enter");
      await dialog().waitFor();
      expect(await violationsOf(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await dialog().waitFor({ state: "detached" });
      expect(await page.evaluate("document.activeElement?.textContent")).toBe("Trip…");
    });

    it("says since when what it shows is stale, and is live again by itself", async () => {
      await visit();
      await showOutage(page);
      let away = false;
      let drop = (): unknown => undefined;
      await page.routeWebSocket(/\/live$/, (socket) => {
        if (away) void socket.close();
        else socket.send(JSON.stringify(tickAt(Date.now())));
        drop = () => socket.close();
      });
      await site.logIn(page);
      await page.getByText("live", { exact: true }).waitFor();
      away = true;
      drop();
      await page.getByText("stale since").waitFor();
      // What was heard last is still shown.
      expect(await page.locator(".tile .figure").first().innerText()).not.toBe("–");
      away = false;
      await page.getByText("live", { exact: true }).waitFor({ timeout: 10_000 });
      await goTo("breakers");
      await page.route("**/_weir/api/v1/status", (route) => route.abort());
      await page
        .getByText(/Stale since .*cannot be reached/)
        .first()
        .waitFor({ timeout: 10_000 });
    });

    it("stays smooth with fifty series live", async () => {
      await visit();
      await showOutage(page);
      let updates = 0;
      await page.routeWebSocket(/\/live$/, (socket) => {
        const from = Date.now() - 300_000;
        for (let second = 0; second < 300; second++) socket.send(JSON.stringify(tickAt(from + second * 1_000, 50)));
        const timer = setInterval(() => {
          socket.send(JSON.stringify(tickAt(Date.now(), 50)));
          if (++updates === MAX_UPDATES) clearInterval(timer);
        }, 100);
        socket.onClose(() => {
          clearInterval(timer);
        });
      });
      await site.logIn(page);
      await page.getByRole("button", { name: "By route" }).click();
      await page.getByRole("button", { name: "Table, with 38 more" }).waitFor();
      const devtools = await context.newCDPSession(page);
      // Of the thread, not by the wall: what others do on this machine is no part of it.
      await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
      const spentMs = async (): Promise<Record<"Task" | "Script" | "Layout", number>> => {
        const { metrics } = await devtools.send("Performance.getMetrics");
        const of = (what: string): number =>
          1_000 * (metrics.find(({ name }) => name === `${what}Duration`)?.value ?? Number.NaN);
        return { Task: of("Task"), Script: of("Script"), Layout: of("Layout") + of("RecalcStyle") };
      };
      const before = { spent: await spentMs(), updates };
      const frames = await page.evaluate<number[]>(MEASURE_FRAMES);
      const drawn = updates - before.updates;
      const after = await spentMs();
      const each = (what: "Task" | "Script" | "Layout"): number => (after[what] - before.spent[what]) / drawn;
      const sorted = frames.toSorted((a, b) => a - b);
      const quantile = (ratio: number): number => sorted[Math.floor(sorted.length * ratio)] ?? Number.POSITIVE_INFINITY;
      const perSecond = (1_000 * frames.length) / frames.reduce((sum, ms) => sum + ms, 0);
      console.log(
        `dashboard: 50 series of 300 points, ${drawn} updates in ${MEASURED_MS} ms: ${perSecond.toFixed(0)} frames/s, p50 ${quantile(0.5).toFixed(1)} ms, p95 ${quantile(0.95).toFixed(1)} ms; ` +
          `each update costs the page ${each("Task").toFixed(1)} ms (script ${each("Script").toFixed(1)}, layout ${each("Layout").toFixed(1)})`,
      );
      expect(drawn).toBeGreaterThanOrEqual(15);
      expect(each("Script") + each("Layout")).toBeLessThanOrEqual(1_000 / 60);
      // Ten times as many updates as there are, and still most frames are on time.
      expect(quantile(0.5)).toBeLessThanOrEqual(1.2 * (1_000 / 60));
    });
  });

  it("shows markup in names, reasons and configs as text, and the policy runs no script of it", async () => {
    const evil = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>`;
    await site.call("PUT", "/tenants/evil", { plan: "small", label: evil });
    await site.call("POST", "/breakers/shop/trip", { reason: evil, by: evil.slice(0, 64) });
    await site.call("POST", "/breakers/shop/reset", { reason: evil });
    const { inForce } = await site.call("GET", "/configs");
    const text = site.configText(30).replace("What the noisy one has.", evil);
    const ifMatch = `"${(inForce as { number: number }).number}"`;
    await site.call("POST", "/configs", { text, message: evil }, { "if-match": ifMatch });
    await visit();
    await site.logIn(page);
    for (const place of [
      "breakers/shop",
      "tenants/evil",
      "tenants",
      "configs",
      "audit",
      `tenants/${encodeURIComponent(evil)}`,
    ]) {
      await goTo(place);
      const text = page.getByText("onerror").first();
      await text.waitFor({ state: "attached", timeout: 3_000 }).catch(() => {
        throw new Error(`${place} does not show it`);
      });
      expect([place, await page.evaluate("window.owned"), await page.locator("main :is(img, script)").count()]).toEqual(
        [place, undefined, 0],
      );
    }
    await page.evaluate(
      `document.body.insertAdjacentHTML("beforeend", '<button id="try" onclick="window.owned=1">x</button>')`,
    );
    await page.locator("#try").click();
    expect(await page.evaluate("window.owned")).toBeUndefined();
    // The one complaint that there must be.
    expect(site.complaints.splice(0).join()).toContain("Content Security Policy");
  });

  it("shows a tenant being throttled within two seconds of its request", async () => {
    await visit();
    await site.logIn(page);
    await page.getByText("live", { exact: true }).waitFor();
    const throttled = page.getByRole("region", { name: "Throttled, last minute" });
    // All that it may take at once, so that the next request is the first that is refused.
    let asked = { atMs: 0, status: 200 };
    await waitUntil("somebody is throttled", 5_000, async () => {
      asked = { atMs: performance.now(), status: (await site.askAs("globex", 1))[0] ?? 0 };
      return asked.status === 429;
    });
    await throttled.getByRole("link", { name: "globex" }).waitFor({ timeout: 5_000 });
    const tookMs = performance.now() - asked.atMs;
    console.log(`dashboard: from request to pixel ${tookMs.toFixed(0)} ms`);
    expect(tookMs).toBeLessThanOrEqual(2_000);
    await throttled.screenshot({ path: join(ARTEFACTS, "throttled.png") });
  });
});

const MEASURED_MS = 2_500;
const MAX_UPDATES = 200;
/** The time between frames. */
const MEASURE_FRAMES = `new Promise((resolve) => {
  const frames = [];
  const began = performance.now();
  let before = began;
  const frame = (now) => {
    frames.push(now - before);
    before = now;
    if (now - began < ${MEASURED_MS}) requestAnimationFrame(frame);
    else resolve(frames.slice(1));
  };
  requestAnimationFrame(frame);
})`;
