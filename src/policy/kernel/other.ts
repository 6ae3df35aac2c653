/** The name under which all are counted that are beyond a bound, or not told apart. */
export const OTHER = "other";
