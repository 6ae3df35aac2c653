/**
 * What an API key may do. A key without scopes may do everything its tenant may; a key with scopes may do what at least
 * one of them names:
 *
 *   read, write                  safe methods (GET, HEAD, OPTIONS), all others; on every route
 *   route:<id>                   every method, on that route
 *   read:<id>, write:<id>        the same methods, on that route only
 *
 * A scope that is not known grants nothing, so a key of a newer release is never wider here than there. Cost: one set
 * look-up for each request; nothing is allocated.
 */
export const MAX_SCOPES = 16;
/** All scopes of one key together, with a space between them: they are in the key. */
export const MAX_SCOPES_LENGTH = 512;
export const SCOPE_PATTERN = /^(?:read|write|(?:read|write|route):[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/;

export interface Scopes {
  /** On every route. */
  readonly read: boolean;
  readonly write: boolean;
  /** Ids of routes. */
  readonly readRoutes: ReadonlySet<string>;
  readonly writeRoutes: ReadonlySet<string>;
}

export function parseScopes(scopes: readonly string[]): Scopes {
  const readRoutes = new Set<string>();
  const writeRoutes = new Set<string>();
  for (const scope of scopes) {
    const routeId = routeOf(scope);
    if (routeId === undefined) continue;
    if (!scope.startsWith("write:")) readRoutes.add(routeId);
    if (!scope.startsWith("read:")) writeRoutes.add(routeId);
  }
  return { read: scopes.includes("read"), write: scopes.includes("write"), readRoutes, writeRoutes };
}

/** The route that a scope names; undefined: it is not for one route. */
export function routeOf(scope: string): string | undefined {
  if (!SCOPE_PATTERN.test(scope)) return undefined;
  const colon = scope.indexOf(":");
  return colon === -1 ? undefined : scope.slice(colon + 1);
}

export function mayUse(scopes: Scopes, method: string, routeId: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS"
    ? scopes.read || scopes.readRoutes.has(routeId)
    : scopes.write || scopes.writeRoutes.has(routeId);
}
