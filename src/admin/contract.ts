/** What the admin API takes and gives: shared by the Worker, the command line and the dashboard. */
export { API_BASE } from "./contract/base.ts";
export type { AlertsReply, AlertView, DeliveryView, SilenceBody, SilenceView } from "./contract/alerts.ts";
export type { AuditEntry, AuditPage } from "./contract/audit.ts";
export type { BreakerTransition, BreakerView } from "./contract/breakers.ts";
export type {
  ApplyBody,
  ConfigContentReply,
  ConfigHistoryReply,
  ConfigOutcomeReply,
  ConfigVersionView,
} from "./contract/configs.ts";
export type { ExplainBody, ExplainReply } from "./contract/explain.ts";
export type { CreatedKey, CreateKeyBody, KeyView, RotatedKey, RotateKeyBody } from "./contract/keys.ts";
export type { MaintenanceBody, MaintenanceList, MaintenanceView } from "./contract/maintenance.ts";
export type { LimitList, LimitView } from "./contract/limits.ts";
export type { DemandReply, SeriesPointView, SeriesReply } from "./contract/monitoring.ts";
export type { IncidentView, ObjectivesReply, ObjectiveView } from "./contract/objectives.ts";
export type { OverrideBody, OverrideView } from "./contract/overrides.ts";
export type { PagePreview, PagesReply } from "./contract/pages.ts";
export type { PurgeBody, PurgeReply, PurgesReply, PurgeTargetView } from "./contract/purges.ts";
export { BACKUP_VERSION, MAX_LINE_LENGTH, PARTS } from "./contract/recovery.ts";
export type {
  BackupHeader,
  BackupLine,
  BackupPage,
  BeginRestoreBody,
  BegunBackup,
  BegunRestore,
  EndedRestore,
} from "./contract/recovery.ts";
export { MAX_LINES_A_CALL } from "../protocol/recovery.ts";
export type { SessionView } from "./contract/session.ts";
export type { BreakerStatus, StatusReply, TenantStatus } from "./contract/status.ts";
export { LATENCY_BOUNDS_SECONDS } from "../policy/kernel/histogram.ts";
export { OUTCOMES, type Outcome } from "../protocol/metrics.ts";
export { LIVE_PROTOCOL, type LiveTick } from "../protocol/monitor.ts";
export type { TailedDecision, TailReply } from "./contract/tail.ts";
export type { ImportReply, PutTenantBody, TenantList, TenantView } from "./contract/tenants.ts";
export type { CreatedToken, TokenList, TokenView } from "./contract/tokens.ts";
