/** Asks before something is changed; without a terminal there is nobody to ask. */
import { confirm, isCancel } from "@clack/prompts";
import { CliError, EXIT, isInteractive } from "./output.ts";

/** True with `--yes`, or when somebody at the terminal agrees. */
export async function agreed(yes: boolean, question: string): Promise<boolean> {
  if (yes) return true;
  if (!isInteractive()) {
    throw new CliError("there is no terminal to ask at: say --yes to go on without being asked", EXIT.usage);
  }
  const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
  return !isCancel(answer) && answer;
}
