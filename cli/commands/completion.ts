/** `weir completion bash|zsh|fish`: a script that completes commands and options, made from the commands themselves. */
import { defineCommand } from "citty";
import { argumentsOf, childrenOf, type Commands, descriptionOf, everyCommand } from "../command-tree.ts";
import { CliError, EXIT, printJson } from "../output.ts";

interface Place {
  /** `keys create`; "" for the root. */
  readonly at: string;
  readonly words: readonly { readonly word: string; readonly says: string }[];
}

const SHELLS = { bash, zsh, fish } as const;

export const completionCommand = (commands: () => Commands) =>
  defineCommand({
    meta: { name: "completion", description: "Completion for a shell" },
    args: {
      shell: { type: "positional", description: Object.keys(SHELLS).join(", "), required: true },
      json: { type: "boolean", description: "Print JSON", default: false },
    },
    async run({ args }) {
      const render = Object.entries(SHELLS).find(([shell]) => shell === args.shell)?.[1];
      if (render === undefined) {
        throw new CliError(
          `the shell must be one of ${Object.keys(SHELLS).join(", ")}, not "${args.shell}"`,
          EXIT.usage,
        );
      }
      const script = render(await placesOf(commands()));
      if (args.json) printJson({ shell: args.shell, script });
      else process.stdout.write(script);
    },
  });

async function placesOf(commands: Commands): Promise<Place[]> {
  const root: { word: string; says: string }[] = [];
  const others: Place[] = [];
  for await (const { path, command } of everyCommand(commands)) {
    const [word = "", ...more] = path;
    if (more.length === 0) root.push({ word, says: descriptionOf(command) });
    const below = childrenOf(command);
    const options = argumentsOf(command).flatMap(([name, { type, description = "" }]) =>
      type === "positional" ? [] : [{ word: `--${name}`, says: description }],
    );
    const children = Object.entries(below ?? {}).map(([name, child]) => ({
      word: name,
      says: typeof child === "function" ? "" : descriptionOf(child),
    }));
    others.push({ at: path.join(" "), words: [...children, ...options] });
  }
  return [{ at: "", words: root }, ...others].map(({ at, words }) => ({
    at,
    words: [...words, { word: "--help", says: "Usage" }],
  }));
}

const listed = ({ words }: Place): string => words.map(({ word }) => word).join(" ");
const commandsOf = (places: readonly Place[]): string =>
  places.flatMap(({ at }) => (at === "" ? [] : [`"${at}"`])).join(" | ");

function bash(places: readonly Place[]): string {
  return `# bash completion for weir
_weir() {
  local at="" word i words=""
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${at:+$at }\${COMP_WORDS[i]}"
    case "$word" in
      ${commandsOf(places)}) at="$word" ;;
    esac
  done
  case "$at" in
${places.map((place) => `    "${place.at}") words="${listed(place)}" ;;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  # Without a candidate: names of files.
  ((\${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _weir weir
`;
}

function zsh(places: readonly Place[]): string {
  const described = ({ words }: Place): string =>
    words.map(({ word, says }) => `'${word}:${says.replaceAll("'", "").replaceAll(":", "\\:")}'`).join(" ");
  return `#compdef weir
_weir() {
  local at="" word i
  local -a candidates
  for ((i = 2; i < CURRENT; i++)); do
    word="\${at:+$at }\${words[i]}"
    case "$word" in
      ${commandsOf(places)}) at="$word" ;;
    esac
  done
  case "$at" in
${places.map((place) => `    "${place.at}") candidates=(${described(place)}) ;;`).join("\n")}
  esac
  _describe 'weir' candidates || _files
}
compdef _weir weir
`;
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ at, words }) =>
    words.map(({ word, says }) => {
      const candidate = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c weir -n '__weir_at "${at}"' ${candidate} -d '${says.replaceAll("'", "")}'`;
    }),
  );
  return `# fish completion for weir
function __weir_at
    set -l at ""
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$at $word")
        switch $next
            case ${places.flatMap(({ at }) => (at === "" ? [] : [`"${at}"`])).join(" ")}
                set at $next
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join("\n")}
`;
}
