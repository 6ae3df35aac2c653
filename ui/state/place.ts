/** Where in the dashboard: after the `#`, so that no name of a tenant is in a URL that is sent or logged anywhere. */
import { signal } from "@preact/signals";

export interface Place {
  readonly page: string;
  /** What of it, decoded: a tenant, an origin. */
  readonly of: string | undefined;
}

export const place = signal(read());

addEventListener("hashchange", () => {
  place.value = read();
});

function read(): Place {
  const [page = "", of] = location.hash.replace(/^#\/?/, "").split("/");
  return { page: page === "" ? "overview" : page, of: of === undefined || of === "" ? undefined : decoded(of) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const hrefOf = (page: string, of?: string): string =>
  of === undefined ? `#/${page}` : `#/${page}/${encodeURIComponent(of)}`;
