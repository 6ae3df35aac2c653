/**
 * The built-in page for browsers: one page for every kind. Light and dark, from 320 pixels up, nothing from elsewhere,
 * no script. test/scenarios/pages-in-browser.test.ts looks at it in a real browser.
 */
import type { PageTemplate } from "../../config/model.ts";

const STYLE = `:root{color-scheme:light dark;--ground:#f3f5f8;--sheet:#fff;--line:#d9dee6;--text:#1b2028;--quiet:#545d6c;--accent:#1c5bb8;--on-accent:#fff}
@media (prefers-color-scheme:dark){:root{--ground:#101419;--sheet:#181e26;--line:#2c3541;--text:#edf1f6;--quiet:#a7b1c0;--accent:#8ab8ff;--on-accent:#0d1624}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);color:var(--text);font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Hiragino Sans","Noto Sans CJK JP",sans-serif;overflow-wrap:anywhere}
main{width:100%;max-width:34rem;padding:clamp(1.5rem,6vw,3rem);background:var(--sheet);border:1px solid var(--line);border-radius:1rem}
svg{display:block;width:3rem;height:3rem;margin-bottom:1.5rem;color:var(--accent)}
h1{margin:0 0 .75rem;font-size:clamp(1.5rem,1.2rem + 1.6vw,2rem);line-height:1.2;letter-spacing:-.01em;text-wrap:balance}
p{margin:0 0 1rem}
p:empty{display:none}
a{display:inline-block;margin-top:.5rem;padding:.625rem 1.25rem;border-radius:.5rem;background:var(--accent);color:var(--on-accent);font-weight:600;text-decoration:none}
a:hover{text-decoration:underline}
a:focus-visible{outline:3px solid var(--text);outline-offset:3px}
footer{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--quiet);font-size:.875rem}
code{font:inherit;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
@media (forced-colors:active){a{border:1px solid}}
@media print{a{display:none}}`;

/** Of STYLE; a test says when it has to change. */
const STYLE_HASH = "sha256-AF2cWVy52w41FUnTbR1x1QsBmBK+RmPeTdKssjxC/l0=";

const HTML = `<!doctype html>
<html lang="{{language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{title}}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="4" stroke-linecap="round" aria-hidden="true"><path d="M4 14c5-5 9-5 14 0s9 5 14 0 8-5 12-2"/><path d="M4 26c5-5 9-5 14 0s9 5 14 0 8-5 12-2" opacity=".65"/><path d="M4 38c5-5 9-5 14 0s9 5 14 0 8-5 12-2" opacity=".35"/></svg>
<h1>{{title}}</h1>
<p>{{message}}</p>
<p>{{retryAfterText}}</p>
<a href="{{actionLink}}">{{action}}</a>
<footer>{{status}} · {{reference}} <code>{{requestId}}</code></footer>
</main>
</body>
</html>
`;

export const DEFAULT_HTML: PageTemplate = {
  // Between the captured names stand the texts.
  parts: HTML.split(/\{\{(\w+)\}\}/),
  contentSecurityPolicy: `default-src 'none'; style-src '${STYLE_HASH}'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
};
