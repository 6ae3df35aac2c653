/** Pages as the build makes them whole: what is inlined, what is refused and where, under which policy they are shown. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import type { PageTemplate } from "../../src/config/model.ts";
import { preparePage } from "../../src/config/pages/prepare.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const FILES: Readonly<Record<string, Uint8Array>> = {
  "pages/logo.svg": bytes("<svg xmlns='http://www.w3.org/2000/svg'/>"),
  "pages/style.css": bytes("h1{color:red}\r\nmain{background:url( 'img/back.png' ) no-repeat, url(#x)}"),
  "pages/bad.css": bytes("h1{color:red}\n@import 'more.css';"),
  "pages/img/back.png": Uint8Array.from([137, 80, 78, 71]),
  "logo.svg": bytes("<svg/>"),
  "pages/huge.png": new Uint8Array(131_073),
  "pages/notes.txt": bytes("notes"),
};

const prepare = (text: string, path = "pages/outage.html") =>
  preparePage({ path, mediaType: "text/html", text }, async (asset) => FILES[asset]);

async function problemsOf(text: string): Promise<readonly string[]> {
  const prepared = await prepare(text);
  return prepared.ok ? [] : prepared.problems;
}

async function pageOf(text: string): Promise<PageTemplate> {
  const prepared = await prepare(text);
  if (!prepared.ok) throw new Error(prepared.problems.join("\n"));
  return prepared.template;
}

const hashOf = (style: string): string => `'sha256-${createHash("sha256").update(style).digest("base64")}'`;

describe("what a page uses", () => {
  it("is inlined: images, icons, style sheets and what these name; the rest stays as it is", async () => {
    const page = await pageOf(
      `<!doctype html>\n<html  lang=en><link rel=icon href=../logo.svg><link rel="stylesheet" href="style.css" media="print">\n<p>{{title}}<img alt='' src='logo.svg'><a href="https://help.example/{{requestId}}">help</a>`,
    );
    const svg = Buffer.from(FILES["pages/logo.svg"] ?? []).toString("base64");
    const png = "data:image/png;base64,iVBORw==";
    expect(page.parts).toEqual([
      `<!doctype html>\n<html  lang=en><link rel=icon href="data:image/svg+xml;base64,PHN2Zy8+"><style media="print">h1{color:red}\nmain{background:url("${png}") no-repeat, url(#x)}</style>\n<p>`,
      "title",
      `<img alt='' src="data:image/svg+xml;base64,${svg}"><a href="https://help.example/`,
      "requestId",
      '">help</a>',
    ]);
    const style = `h1{color:red}\nmain{background:url("${png}") no-repeat, url(#x)}`;
    expect(page.contentSecurityPolicy).toContain(`; style-src ${hashOf(style)};`);
  });

  it("leaves a policy that lets nothing else in", async () => {
    const page = await pageOf("<style>\r\nh1{color:red}\r\n</style><style>p{margin:0}</style><h1>Sorry</h1>");
    const styles = `${hashOf("\nh1{color:red}\n")} ${hashOf("p{margin:0}")}`;
    expect(page.contentSecurityPolicy).toBe(
      `default-src 'none'; style-src ${styles}; img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect((await pageOf("<h1>Sorry</h1>")).contentSecurityPolicy).not.toContain("style-src");
  });
});

describe("a page is refused, with file, line and column,", () => {
  it.each([
    ["<script>1</script>", "1:1 a page has no scripts"],
    ["<p>\n  <a href=' JavaScript:alert(1)'>x</a>", "2:6 a script in a link"],
    ["<p onclick='x()'>", '1:4 "onclick" is a script'],
    ["<p style='color:red'>", '1:4 a "style" attribute'],
    ["<iframe src=x></iframe>", "1:1 <iframe> loads"],
    ["<form></form>", "1:1 a page sends no forms"],
    ["<base href=/x>", "1:1 <base>"],
    ["<input type=image src=x.png>", "1:19 <input> must not load a file"],
    ["<svg><image href='x.png'/></svg>", "1:13 <image> must not load a file"],
    ["<svg><use xlink:href='x.svg#a'/></svg>", "1:11 <use> must not load a file"],
    ["<img srcset='a.png 2x' src=logo.svg>", '1:6 "srcset" names several files'],
    ["<img src=https://cdn.example/logo.png>", '1:6 "https://cdn.example/logo.png" would be loaded from elsewhere'],
    ["<img src=//cdn.example/logo.png>", "would be loaded from elsewhere"],
    ["<img src=gone.png>", '1:6 no file "gone.png" beside "pages/outage.html"'],
    ["<img src=../../logo.svg>", "1:6 no file"],
    ["<img src=huge.png>", '1:6 "huge.png" is larger than 131072 bytes'],
    ["<img src=notes.txt>", '1:6 "notes.txt" is of no known type; valid: png'],
    ["<link rel=preload href=x.woff2>", '1:1 <link rel="preload"> loads'],
    ["<link rel=stylesheet href=bad.css>", "1:1 pages/bad.css:2:1 @import loads another file"],
    ["<style>\n@import 'x.css';</style>", "2:1 @import loads another file"],
    ["<style>p{background:url(https://cdn.example/x.png)}</style>", '1:21 "https://cdn.example/x.png" would be'],
    ["<style>p{color:{{title}}}</style>", "1:16 a style may hold no variable"],
    ["<p {{title}}>", "1:4 {{title}} stands bare in a tag"],
    ["<p class={{title}}>", "1:10 {{title}} stands bare in a tag"],
    ["<a href='{{title}}'>", "1:10 {{title}} must not be the beginning of a link"],
    ["<p>\n<b>{{&title}}</b>", "2:4 uses an unescaped {{{title}}}"],
  ])("for %s", async (text, problem) => {
    const problems = await problemsOf(text);
    expect(problems[0]).toContain("pages/outage.html:");
    expect(problems[0]).toContain(problem);
    expect(problems).toHaveLength(1);
  });

  it("for everything that is wrong with it at once, in its order", async () => {
    const places = (await problemsOf("<script></script>\n{{oops}}\n<p onload=x>")).map(
      (problem) => problem.split(" ")[0],
    );
    expect(places).toEqual(["pages/outage.html:1:1", "pages/outage.html:2:1", "pages/outage.html:3:4"]);
  });

  it("when it is too large with what is inlined", async () => {
    const image = "<img alt='' src=back.png>";
    const read = async (): Promise<Uint8Array> => new Uint8Array(100_000);
    const prepared = await preparePage({ path: "p.html", mediaType: "text/html", text: image.repeat(3) }, read);
    expect(prepared).toEqual({
      ok: false,
      problems: ["p.html has 400131 bytes with what is inlined; at most 262144 are allowed"],
    });
  });

  it.each([
    ['{ "again": {{retryAfterSeconds}}, "why": "{{message}}" }', true],
    ['{ "why": {{message}} }', false],
    ["{ ", false],
  ])("as JSON unless it is some once its variables are filled in: %s", async (text, ok) => {
    const page = { path: "p.json", mediaType: "application/json", text } as const;
    expect((await preparePage(page, async () => undefined)).ok).toBe(ok);
  });
});

describe("languages", () => {
  const files: Record<string, string> = {
    "p.html": "<p>sorry",
    "p.de.html": "<p>Verzeihung",
    "p.pt-BR.html": "<p>desculpe",
    "p.fr.html": "<p>pardon {{{title}}}",
  };
  const load = (languages: readonly string[] | undefined) =>
    loadConfig(
      JSON.stringify({
        version: 1,
        origins: { app: { url: "https://app.example" } },
        identity: [],
        plans: {},
        pages: { ...(languages === undefined ? {} : { languages }), files: { "not-found": { "text/html": "p.html" } } },
        routes: [{ id: "all", match: { path: "/*" }, origin: "app", degraded: { pages: { "text/plain": "p.html" } } }],
      }),
      { configVersion: 1, readPage: async (path) => files[path], preparePage },
    );

  it("are in files beside the page; the file itself is in the first of them", async () => {
    const result = await load(["de", "pt-BR", "pl"]);
    expect(result.ok && result.config.pages.byKind).toEqual({
      "not-found": { "text/html": { de: "p.de.html as text/html", "pt-BR": "p.pt-BR.html as text/html" } },
    });
    const english = await load(["en", "de"]);
    expect(english.ok && english.config.pages.byKind["not-found"]?.["text/html"]).toEqual({
      en: "p.html as text/html",
      de: "p.de.html as text/html",
    });
  });

  it("are checked like the page itself, each problem at the place that names the page", async () => {
    const result = await load(undefined);
    expect(result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      expect.stringMatching(/^pages\.files\.not-found\.text\/html: p\.fr\.html:1:11 uses an unescaped/),
      expect.stringMatching(/^routes\.0\.degraded\.pages\.text\/plain: p\.fr\.html:1:11 uses an unescaped/),
    ]);
  });

  it("may not come twice, and must be language tags", async () => {
    for (const [languages, message] of [
      [["en", "en"], '"en" comes twice'],
      [["English"], "must be a language tag"],
    ] as const) {
      const result = await load(languages);
      expect(result.ok ? "" : result.problems[0]?.message).toContain(message);
    }
  });
});
