/** Text of others, for people and for logs. */

/** Characters that would move a reader's cursor, colour, or direction of reading, or hide something, become a dot. */
export function legible(text: string, most: number): string {
  return (text.length > most ? `${text.slice(0, most - 1)}…` : text).replaceAll(HIDDEN, "·");
}

/** By Unicode: controls, format characters (marks of direction, tags), lone surrogates, separators of lines and paragraphs. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u{2065}\u{e0000}-\u{e007f}]/gu;
