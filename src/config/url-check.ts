/** URLs that the gateway itself fetches: of origins, and of the keys of a JWT's issuer. */
import ipaddr from "ipaddr.js";
import type { Finding, Found, Path } from "./checks.ts";
import type { Config } from "./model.ts";

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
  checkSecureUrl(path, text, "it says whom to believe", found);
}

/** What is sent there is nobody else's business. */
export function checkReceiverUrl(path: Path, text: string, found: Found): void {
  checkSecureUrl(path, text, "it is told what fails", found);
}

function checkSecureUrl(path: Path, text: string, why: string, found: Found): void {
  const url = checkUrl(path, text, found);
  if (url?.protocol === "http:" && !isThisMachine(hostOf(url))) found(path, `must be https: ${why}`);
  if (url !== undefined && url.hash !== "") found(path, "must have no fragment");
}

/**
 * What a gateway must not be sent to where it is not meant to: this machine, private networks, addresses of metadata
 * services, in whichever notation. By name and address as written: no name is resolved here, and a platform's own network
 * has to keep its insides to itself.
 */
export function privateTargets({ origins, identity, alerts }: Config): readonly Finding[] {
  const urls = [
    ...origins.map(({ id, url }) => ({ path: ["origins", id, "url"], url })),
    ...identity.flatMap((rule, index) =>
      rule.type === "jwt" ? [{ path: ["identity", index, "jwks"], url: rule.jwks }] : [],
    ),
    ...alerts.receivers.flatMap(({ id, url }) =>
      url === undefined ? [] : [{ path: ["alerts", "receivers", id, "url"], url }],
    ),
  ];
  return urls.flatMap(({ path, url }) => {
    const why = whyPrivate(url);
    return why === undefined ? [] : [{ path, message: `${why}: not for a deployed gateway` }];
  });
}

const PRIVATE_NAMES = ["localhost", "local", "internal", "intranet", "lan", "home.arpa"] as const;

function whyPrivate(text: string): string | undefined {
  // What is not http(s) at all does not get here by a config that was checked; by another way it is refused, too.
  if (!URL.canParse(text)) return "is no URL";
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return `${url.protocol} is not http or https`;
  if (url.username !== "" || url.password !== "") return "carries credentials";
  // The URL parser has made decimal, octal and hexadecimal forms one.
  const host = hostOf(url).replace(/\.+$/, "");
  if (!ipaddr.isValid(host)) {
    const name = PRIVATE_NAMES.find((suffix) => host === suffix || host.endsWith(`.${suffix}`));
    return name === undefined && host.includes(".") ? undefined : `"${host}" is a name of a private network`;
  }
  const range = ipaddr.process(host).range();
  return range === "unicast" ? undefined : `${host} is no public address (${range})`;
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "");

const isThisMachine = (host: string): boolean =>
  host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
