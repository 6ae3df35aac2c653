/** Secrets that a config must not name for a receiver: whoever may write a config could have them sent to himself. */
export const RESERVED_SECRETS: ReadonlySet<string> = new Set([
  "WEIR_KEY_SECRET",
  "WEIR_ADMIN_TOKEN",
  "WEIR_PROXY_SECRET",
]);

/** A URL, or a key. */
export const MAX_ALERT_SECRET_LENGTH = 2_048;
