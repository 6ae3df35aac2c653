/** URLs that the gateway itself fetches: of origins, and of the keys of a JWT's issuer. */
import ipaddr from "ipaddr.js";
import type { Found, Path } from "./checks.ts";

/** Undefined: it is no URL at all, which has been said. */
function checkUrl(path: Path, text: string, found: Found): URL | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    found(path, `"${text}" is no URL; valid is for example "https://shop.example"`);
    return undefined;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") found(path, `must be http or https, not ${url.protocol}`);
  if (url.username !== "" || url.password !== "") found(path, "must not carry credentials");
  const host = hostOf(url);
  if (ipaddr.isValid(host) && ipaddr.process(host).range() === "linkLocal") {
    found(path, `${host} is a link-local address (metadata services live there)`);
  }
  return url;
}

export function checkOriginUrl(path: Path, text: string, found: Found): void {
  const url = checkUrl(path, text, found);
  if (url !== undefined && (url.search !== "" || url.hash !== "")) found(path, "must have no query and no fragment");
}

/** Whoever can change what comes from there can make tokens: so https, but for this machine. */
export function checkJwksUrl(path: Path, text: string, found: Found): void {
  const url = checkUrl(path, text, found);
  if (url?.protocol === "http:" && !isThisMachine(hostOf(url))) found(path, "must be https: it says whom to believe");
  if (url !== undefined && url.hash !== "") found(path, "must have no fragment");
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "");

const isThisMachine = (host: string): boolean =>
  host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
