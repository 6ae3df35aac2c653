/** Style text with the files it names inlined. Browsers get it under a hash, so nothing in it may vary. */
import { inlineAsset, isInside, type ReadAsset } from "./assets.ts";
import type { PageFinding } from "./template.ts";

const URL_FUNCTION = /url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"'\s]*))\s*\)/gi;
const NOT_HERE: readonly (readonly [RegExp, string])[] = [
  [/@import\b/i, "@import loads another file; put its rules here"],
  [/<\/style/i, "a style must not contain </style"],
  [/\{\{/, "a style may hold no variable: the page's security policy has its hash"],
];

export interface ReadStyle {
  readonly text: string;
  readonly findings: readonly PageFinding[];
}

/** `from`: the file it is in, page or style sheet. Offsets count from the text's beginning. */
export async function inlineStyle(css: string, from: string, read: ReadAsset): Promise<ReadStyle> {
  const findings = NOT_HERE.flatMap(([pattern, message]): PageFinding[] => {
    const offset = css.search(pattern);
    return offset === -1 ? [] : [{ offset, message }];
  });
  let text = "";
  let done = 0;
  for (const match of css.matchAll(URL_FUNCTION)) {
    const url = match[1] ?? match[2] ?? match[3] ?? "";
    if (isInside(url)) continue;
    const inlined = await inlineAsset(url, from, read);
    if ("problem" in inlined) {
      findings.push({ offset: match.index, message: inlined.problem });
      continue;
    }
    text += `${css.slice(done, match.index)}url("${inlined.url}")`;
    done = match.index + match[0].length;
  }
  return { text: text + css.slice(done), findings };
}
