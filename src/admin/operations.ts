/** All routes of the admin API, in the order of its document. */
import { alertOperations } from "./alerts.ts";
import { auditOperations } from "./audit.ts";
import { backupOperations } from "./backups.ts";
import { breakerOperations } from "./breakers.ts";
import { configOperations } from "./configs.ts";
import { explainOperations } from "./explain.ts";
import { keyOperations } from "./keys.ts";
import { liveOperations } from "./live.ts";
import { maintenanceOperations } from "./maintenance.ts";
import { objectiveOperations } from "./objectives.ts";
import type { Operation } from "./operation.ts";
import { limitOperations } from "./limits.ts";
import { overrideOperations } from "./overrides.ts";
import { pageOperations } from "./pages.ts";
import { metricsOperations } from "./prometheus.ts";
import { purgeOperations } from "./purges.ts";
import { restoreOperations } from "./restores.ts";
import { seriesOperations } from "./series.ts";
import { sessionOperations } from "./sessions.ts";
import { statusOperations } from "./status.ts";
import { tailOperations } from "./tail.ts";
import { tenantOperations } from "./tenants.ts";
import { tokenOperations } from "./tokens.ts";

export const OPERATIONS: readonly Operation[] = [
  ...sessionOperations,
  ...statusOperations,
  ...metricsOperations,
  ...tenantOperations,
  ...breakerOperations,
  ...maintenanceOperations,
  ...purgeOperations,
  ...limitOperations,
  ...overrideOperations,
  ...keyOperations,
  ...configOperations,
  ...pageOperations,
  ...explainOperations,
  ...tailOperations,
  ...liveOperations,
  ...seriesOperations,
  ...objectiveOperations,
  ...alertOperations,
  ...tokenOperations,
  ...auditOperations,
  ...backupOperations,
  ...restoreOperations,
];
