/** Which metrics and labels a PromQL expression asks for: enough of its grammar for that, not more. */
interface Asked {
  readonly metric: string;
  readonly labels: readonly string[];
}

const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|[a-zA-Z_:][\w:]*|\d+(?:\.\d+)?\w*|\$\w+|[^\s]/g;
const GROUPING = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const WORDS = ["and", "or", "unless", "bool", "offset", "inf", "nan", ...GROUPING];
const NAME = /^[a-zA-Z_:][\w:]*$/;

/** Every selector, with the labels that it matches on; `grouping` lists those of by, on, … */
export function asked(expr: string): { readonly selectors: readonly Asked[]; readonly grouping: readonly string[] } {
  const tokens: readonly string[] = expr.match(TOKEN) ?? [];
  const selectors: Asked[] = [];
  const grouping: string[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? "";
    const next = tokens[index + 1] ?? "";
    if (GROUPING.includes(token) && next === "(") {
      const end = tokens.indexOf(")", index);
      grouping.push(...tokens.slice(index + 2, end).filter((one) => NAME.test(one)));
      index = end;
    } else if (NAME.test(token) && !WORDS.includes(token.toLowerCase()) && next !== "(" && !GROUPING.includes(next)) {
      const end = next === "{" ? tokens.indexOf("}", index) : index;
      const matched = tokens.slice(index + 2, end);
      selectors.push({ metric: token, labels: matched.filter((one) => NAME.test(one)) });
      index = end;
    }
  }
  return { selectors, grouping };
}
