/** What a client wants to read: media type and language, by quality. Pure; cost bounded by 64 ranges. */

const MAX_RANGES = 64;

/**
 * RFC 9110 section 12.5.1: the offer with the highest quality, the earlier one of equals; undefined when none is
 * acceptable. Only an exact match beats a range, so a browser's `text/html` with anything at q=0.8 gets HTML.
 */
export function negotiate(accept: string | null, offers: readonly string[]): string | undefined {
  if (accept === null || accept.trim() === "") return offers[0];
  const ranges = accept.split(",", MAX_RANGES).map(parseRange);
  let best: string | undefined;
  let bestQuality = 0;
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges);
    if (quality > bestQuality) {
      best = offer;
      bestQuality = quality;
    }
  }
  return best;
}

/**
 * RFC 4647 section 3.4, lookup: the ranges by quality, each shortened from its end until an offer is met; `pt` also meets
 * an offered `pt-BR`. An offer that the client gave quality 0 is never taken. Undefined when none is wanted.
 */
export function negotiateLanguage(acceptLanguage: string | null, offers: readonly string[]): string | undefined {
  if (acceptLanguage === null || acceptLanguage.trim() === "") return offers[0];
  const ranges = acceptLanguage.split(",", MAX_RANGES).map(parseRange);
  const barred = new Set(ranges.filter(({ quality }) => quality === 0).map(({ type }) => type));
  const allowed = offers.filter((offer) => !barred.has(offer.toLowerCase()));
  for (const { type, quality } of ranges.toSorted((a, b) => b.quality - a.quality)) {
    if (quality === 0) break;
    if (type === "*") return allowed[0];
    const found = lookUp(type, allowed);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Wanted more than every other, in lower case; undefined: several are wanted as much, or any will do. */
export function favouriteLanguage(acceptLanguage: string | null): string | undefined {
  if (acceptLanguage === null) return undefined;
  const ranges = acceptLanguage.split(",", MAX_RANGES).map(parseRange);
  const [first, second] = ranges.toSorted((a, b) => b.quality - a.quality);
  if (first === undefined || first.quality === 0 || first.quality === second?.quality) return undefined;
  return first.type === "" || first.type === "*" ? undefined : first.type;
}

/** `range` in lower case. */
function lookUp(range: string, offers: readonly string[]): string | undefined {
  for (let wanted = range; wanted !== ""; wanted = wanted.slice(0, Math.max(0, wanted.lastIndexOf("-")))) {
    const found = offers.find((offer) => offer.toLowerCase() === wanted);
    if (found !== undefined) return found;
  }
  return offers.find((offer) => offer.toLowerCase().startsWith(`${range}-`));
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): Range {
  const [type = "", ...parameters] = text.split(";");
  let quality = 1;
  for (const parameter of parameters) {
    const [name, value] = parameter.split("=");
    if (name?.trim().toLowerCase() !== "q") continue;
    const parsed = Number(value?.trim());
    quality = Number.isFinite(parsed) ? Math.min(1, Math.max(0, parsed)) : 0;
  }
  return { type: type.trim().toLowerCase(), quality };
}

/** The most specific range that matches decides. */
function qualityOf(offer: string, ranges: readonly Range[]): number {
  const family = `${offer.slice(0, offer.indexOf("/"))}/*`;
  for (const wanted of [offer, family, "*/*"]) {
    const range = ranges.find(({ type }) => type === wanted);
    if (range !== undefined) return range.quality;
  }
  return 0;
}
