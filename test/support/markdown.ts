/** Tables as they stand in the docs. */
export const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
export const heading = (titles: readonly string[]): string[] => [row(titles), row(titles.map(() => "---"))];
