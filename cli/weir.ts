#!/usr/bin/env node
/** `weir`, the command line. Data on stdout, progress and errors on stderr; exit codes in output.ts. */
import * as nodeModule from "node:module";

// What is compiled once starts in half the time; Node 20 has no such cache.
const { enableCompileCache }: Partial<typeof nodeModule> = nodeModule;
enableCompileCache?.();

const [{ COMMANDS }, { run }] = await Promise.all([import("./commands.ts"), import("./run.ts")]);
process.exitCode = await run(COMMANDS, process.argv.slice(2));
