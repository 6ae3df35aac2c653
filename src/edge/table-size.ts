/** Of an edge that stands beside another for one request: large tables would take longer to make than the request does. */
const MOST_BESIDE = 50;

/** `most`: of a table that an isolate keeps. */
export const tableSize = (most: number, beside: object | undefined): number =>
  beside === undefined ? most : Math.min(most, MOST_BESIDE);
