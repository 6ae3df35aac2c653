/** Texts that parsers may be given: pieces of their grammar in any order, cut, doubled, and bytes of no grammar at all. */

export type Random = () => number;

const pick = <T>(random: Random, choices: readonly T[]): T | undefined =>
  choices[Math.floor(random() * choices.length)];

const COMMON = [
  ",",
  ";",
  "=",
  '"',
  "\\",
  " ",
  "\t",
  "-",
  ".",
  "/",
  ":",
  "*",
  "%",
  "0",
  "1",
  "99999999999999999999",
  "a",
];

/** Most are short; one in a hundred is long. */
export function textOf(random: Random, pieces: readonly string[], longest: number): string {
  const at = random();
  const most = at < 0.01 ? 4_000 : 14;
  let text = "";
  for (let left = Math.floor(random() * most); left > 0; left--) text += pieceOf(random, pieces);
  // The last piece that fits.
  if (random() < 0.05) text += text;
  return text.length > longest ? text.slice(0, longest) : text;
}

function pieceOf(random: Random, pieces: readonly string[]): string {
  const at = random();
  if (at < 0.7) return pick(random, pieces) ?? "";
  if (at < 0.9) return pick(random, COMMON) ?? "";
  if (at < 0.97) return String.fromCharCode(0x20 + Math.floor(random() * 0x5f));
  return String.fromCharCode(Math.floor(random() * 0x1_0000));
}

/** A valid text, with a few characters lost, doubled, or replaced. */
export function damaged(random: Random, valid: string, pieces: readonly string[]): string {
  let text = valid;
  for (let left = Math.floor(random() * 4); left > 0; left--) {
    const at = Math.floor(random() * (text.length + 1));
    const end = Math.min(text.length, at + Math.floor(random() * 3));
    text = text.slice(0, at) + (random() < 0.7 ? pieceOf(random, pieces) : "") + text.slice(end);
  }
  return text;
}

/** As a field's value arrives: bytes, no line ends, no NUL, no space around it. */
export const asFieldValue = (text: string): string => text.replaceAll(/[^\t\u0020-\u007e\u0080-\u00ff]/g, "?").trim();
