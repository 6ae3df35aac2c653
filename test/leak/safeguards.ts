/** What keeps answers from others, and which of these is taken away. The modules in `switched/` heed it. */
export const SAFEGUARDS = [
  "the tenant in the key",
  "the site in the key",
  "the query in the key",
  "Vary in the key",
  "Vary: *",
  "private",
  "no-store",
  "no-cache",
  "must-revalidate",
  "Set-Cookie",
  "Authorization",
  "Cookie",
  "that parts are not kept as wholes",
  "that a 304 may take back a permission",
  "that failures made for one are not told to others",
  "that whoever has a credential hears of no other's failure",
  "that 401, 403, 404 and 410 take back what is stored",
  "that revoked keys are refused",
] as const;
export type Safeguard = (typeof SAFEGUARDS)[number];

export const removed: { safeguard: Safeguard | undefined } = { safeguard: undefined };

export const without = (safeguard: Safeguard): boolean => removed.safeguard === safeguard;
