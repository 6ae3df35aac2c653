/**
 * A browser under a POSIX locale may name its language in a form that is none ("en-US@posix"). The charts' library asks for
 * number formats in it as soon as it is loaded, and would throw: so this comes before it, and says a language that is one.
 */
const FALLBACK = "en";

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

if (!isLanguage(navigator.language)) Object.defineProperty(navigator, "language", { value: FALLBACK });
