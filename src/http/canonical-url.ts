/** The canonical form of a request's URL: the only form that anything after ingress sees. */
export interface CanonicalUrl {
  /** Lower-case host without port. */
  readonly host: string;
  /** Canonical path, starts with "/". */
  readonly path: string;
  /** "" or "?..." as received, after checks. */
  readonly query: string;
}
