/** Files that a page uses, as data: URLs in the page itself: it must not need the origin that cannot answer. */
import { BOUNDS } from "../schema-parts.ts";

export type ReadAsset = (path: string) => Promise<Uint8Array | undefined>;

const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  ico: "image/x-icon",
  svg: "image/svg+xml",
  woff: "font/woff",
  woff2: "font/woff2",
};

export type Inlined = { readonly url: string } | { readonly problem: string };

/** Something that is in the page already, or names a place in it. */
export const isInside = (url: string): boolean => /^(data:|#)/i.test(url);

/** `from`: the file that names it. */
export async function inlineAsset(url: string, from: string, read: ReadAsset): Promise<Inlined> {
  const type = TYPES[extensionOf(url)];
  if (type === undefined) return { problem: `"${url}" is of no known type; valid: ${Object.keys(TYPES).join(", ")}` };
  const found = await readBeside(url, from, read);
  return "problem" in found ? found : { url: `data:${type};base64,${base64(found.bytes)}` };
}

export async function readBeside(
  url: string,
  from: string,
  read: ReadAsset,
): Promise<{ readonly bytes: Uint8Array; readonly path: string } | { readonly problem: string }> {
  if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(url)) {
    return { problem: `"${url}" would be loaded from elsewhere; put the file beside the page` };
  }
  const path = pathBeside(url, from);
  const bytes = path === undefined ? undefined : await read(path);
  if (path === undefined || bytes === undefined) return { problem: `no file "${url}" beside "${from}"` };
  if (bytes.length > BOUNDS.assetBytes) return { problem: `"${url}" is larger than ${BOUNDS.assetBytes} bytes` };
  return { bytes, path };
}

function extensionOf(url: string): string {
  return url.slice(url.lastIndexOf(".") + 1).toLowerCase();
}

/** `../logo.svg` in `pages/de/outage.html` → `pages/logo.svg`. */
function pathBeside(url: string, from: string): string | undefined {
  const segments = url.startsWith("/") ? [] : from.split("/").slice(0, -1);
  for (const segment of url.split("/")) {
    if (segment === "..") {
      if (segments.pop() === undefined) return undefined;
    } else if (segment !== "." && segment !== "") segments.push(segment);
  }
  return segments.join("/");
}

const CHUNK_BYTES = 8_192;

export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK_BYTES));
  }
  return btoa(binary);
}
