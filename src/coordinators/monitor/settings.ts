/** What is stored of a config, and told of one: checked for its shape, because everything here goes by it. */
import { isCount, isRecord } from "../../policy/kernel/json.ts";
import type { MonitorSettings } from "../../protocol/monitor.ts";

/** Undefined: it is none. */
export function readSettings(value: unknown): MonitorSettings | undefined {
  if (!isRecord(value)) return undefined;
  const { configVersion, origins, routes, objectives, alerts } = value;
  if (!isCount(configVersion) || !isRecord(alerts) || !Array.isArray(alerts["receivers"])) return undefined;
  if (!Array.isArray(origins) || !Array.isArray(routes) || !Array.isArray(objectives)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an isolate made it of a checked config; older releases' are told apart by their parts
  return value as unknown as MonitorSettings;
}
