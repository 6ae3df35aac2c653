/** Text of others, for people and for logs. */

/** Characters that would move a reader's cursor, colour, or direction of reading, or hide something, become a dot. */
export function legible(text: string, most: number): string {
  let clean = "";
  for (const character of text.length > most ? `${text.slice(0, most - 1)}…` : text) {
    clean += isControl(character.codePointAt(0) ?? 0) ? "·" : character;
  }
  return clean;
}

/** First and last of each range, by Unicode: controls, soft hyphen, marks of direction, separators, tags, lone surrogates. */
const CONTROLS: readonly (readonly [number, number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
];

const isControl = (code: number): boolean =>
  (code < 0x20 || code > 0x7e) && CONTROLS.some(([first, last]) => code >= first && code <= last);
