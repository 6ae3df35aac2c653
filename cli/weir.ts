#!/usr/bin/env node
/** `weir`, the command line. Data on stdout, progress and errors on stderr; exit codes in output.ts. */
import * as nodeModule from "node:module";
import type { Commands } from "./command-tree.ts";

// What is compiled once starts in half the time; Node 20 has no such cache.
const { enableCompileCache }: Partial<typeof nodeModule> = nodeModule;
enableCompileCache?.();

/** Each is loaded when it is named: starting takes longer than most of them. */
const commands: Commands = {
  init: async () => (await import("./commands/init.ts")).initCommand,
  validate: async () => (await import("./commands/validate.ts")).validateCommand,
  build: async () => (await import("./commands/build.ts")).buildCommand,
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand,
  diff: async () => (await import("./commands/config.ts")).diffCommand,
  apply: async () => (await import("./commands/config.ts")).applyCommand,
  history: async () => (await import("./commands/config.ts")).historyCommand,
  rollback: async () => (await import("./commands/config.ts")).rollbackCommand,
  trial: async () => (await import("./commands/config.ts")).trialCommand,
  status: async () => (await import("./commands/status.ts")).statusCommand,
  explain: async () => (await import("./commands/explain.ts")).explainCommand,
  top: async () => (await import("./commands/top.ts")).topCommand,
  tail: async () => (await import("./commands/tail.ts")).tailCommand,
  alerts: async () => (await import("./commands/alerts.ts")).alertsCommand,
  silences: async () => (await import("./commands/alerts.ts")).silencesCommand,
  deliveries: async () => (await import("./commands/alerts.ts")).deliveriesCommand,
  objectives: async () => (await import("./commands/objectives.ts")).objectivesCommand,
  incidents: async () => (await import("./commands/objectives.ts")).incidentsCommand,
  tenants: async () => (await import("./commands/tenants.ts")).tenantsCommand,
  keys: async () => (await import("./commands/keys.ts")).keysCommand,
  limits: async () => (await import("./commands/limits.ts")).limitsCommand,
  overrides: async () => (await import("./commands/overrides.ts")).overridesCommand,
  breakers: async () => (await import("./commands/breakers.ts")).breakersCommand,
  maintenance: async () => (await import("./commands/maintenance.ts")).maintenanceCommand,
  cache: async () => (await import("./commands/cache.ts")).cacheCommand,
  pages: async () => (await import("./commands/pages.ts")).pagesCommand,
  tokens: async () => (await import("./commands/tokens.ts")).tokensCommand,
  audit: async () => (await import("./commands/audit.ts")).auditCommand,
  backup: async () => (await import("./commands/recovery.ts")).backupCommand,
  restore: async () => (await import("./commands/recovery.ts")).restoreCommand,
  size: async () => (await import("./commands/size.ts")).sizeCommand,
  cost: async () => (await import("./commands/cost.ts")).costCommand,
  completion: async () => (await import("./commands/completion.ts")).completionCommand(() => commands),
};

const { run } = await import("./run.ts");
process.exitCode = await run(commands, process.argv.slice(2));
