/**
 * `Cache-Tag` of a response: names, separated by commas, under which it can be purged. Compared exactly. Bounded; what is
 * beyond is ignored, and said, so that it can be counted: a tag that is not kept purges nothing.
 */
const MAX_TAGS = 64;
export const MAX_TAG_LENGTH = 128;

export interface Tags {
  readonly tags: readonly string[];
  readonly ignored: number;
}

const NONE: Tags = { tags: [], ignored: 0 };

export function parseTags(value: string | null | undefined): Tags {
  if (value === null || value === undefined || value === "") return NONE;
  const named = new Set(value.split(",").map((tag) => tag.trim()));
  named.delete("");
  const tags = [...named].filter((tag) => tag.length <= MAX_TAG_LENGTH).slice(0, MAX_TAGS);
  return { tags, ignored: named.size - tags.length };
}
