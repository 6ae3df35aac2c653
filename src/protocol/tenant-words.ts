/**
 * Words of ids and labels, for search: in lower case, without accents. The same for what is stored and for what is asked,
 * so that both are cut alike.
 */

/** Of one tenant; later ones are not found. */
const MAX_WORDS = 24;
/** Of one search; later ones play no part. */
const MAX_SEARCHED = 8;
/** Longer ones are cut, so that a place in a list fits in a cursor. */
const MAX_WORD_LENGTH = 30;

/** Each once, in the order of the text. */
function wordsIn(text: string, most: number): readonly string[] {
  const folded = text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
  const found = folded.match(/[\p{L}\p{N}]+/gu) ?? [];
  return [...new Set(found.map((word) => word.slice(0, MAX_WORD_LENGTH).toWellFormed()))].slice(0, most);
}

/** Under which a tenant is found. */
export function wordsOfTenant(id: string, label: string): readonly string[] {
  return wordsIn(`${id} ${label}`, MAX_WORDS);
}

export function wordsSearched(text: string): readonly string[] {
  return wordsIn(text, MAX_SEARCHED);
}
