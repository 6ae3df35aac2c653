/** YAML of plain data, as people write it: no library is needed to write what only has maps, lists and scalars. */
export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain | undefined };

/** Needs no quotes, and is nothing else than text. */
const BARE = /^(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z_][\w./ -]*(?<! )$/i;

export function yaml(value: Plain, comment: string): string {
  const head = comment.split("\n").map((line) => `# ${line}\n`);
  return `${head.join("")}${block(value, "").trimStart()}`;
}

function block(value: Plain, indent: string): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return " []\n";
    return `\n${value.map((item: Plain) => `${indent}- ${block(item, `${indent}  `).trimStart()}`).join("")}`;
  }
  if (typeof value === "object") {
    const entries = Object.entries(value).filter((entry): entry is [string, Plain] => entry[1] !== undefined);
    if (entries.length === 0) return " {}\n";
    return `\n${entries.map(([key, item]) => `${indent}${scalar(key)}:${block(item, `${indent}  `)}`).join("")}`;
  }
  if (typeof value === "string" && value.includes("\n")) {
    return ` |-\n${value
      .split("\n")
      .map((line) => `${indent}${line}\n`)
      .join("")}`;
  }
  return ` ${scalar(value)}\n`;
}

function scalar(value: string | number | boolean): string {
  if (typeof value !== "string" || BARE.test(value)) return String(value);
  return value.includes('"') && !/['\\]/.test(value) ? `'${value}'` : JSON.stringify(value);
}
