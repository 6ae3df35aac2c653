/**
 * The Tenant object's tables (docs/STORAGE.md). What is outstanding is not stored: it is the sum of the stored leases.
 * Rows are checked when they come back; a partition that cannot be read counts as empty, never as full.
 */
import { isRecord, parseJson } from "../../policy/kernel/json.ts";
import type { LeaseBook } from "../../policy/limits/lease-replies.ts";
import type { Lease, Partition } from "../../policy/limits/partition.ts";
import type { LeaseDecision, LimitSpec, QuotaPeriod } from "../../policy/limits/types.ts";
import type { TenantStanding } from "../../protocol/tenant-index.ts";
import type { OverrideRecord } from "../../protocol/tenant.ts";
import { KeyTable, textOf } from "./key-table.ts";
import { StandingTable } from "./standing-table.ts";

const SCHEMA_VERSION = 2;

export interface TenantState extends LeaseBook {
  readonly overrides: Map<string, OverrideRecord>;
  recordVersion: number;
  /** Undefined: never told. */
  standing: TenantStanding | undefined;
  /** When keys end that do not say so themselves: revoked, or replaced. */
  keyEnds: Map<string, number>;
  /** Rows that could not be read. */
  corruptRows: number;
}

export class TenantStorage {
  readonly keys: KeyTable;
  readonly standing: StandingTable;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS partition (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS lessee (
        lessee_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, heard_at_ms INTEGER NOT NULL,
        reply TEXT NOT NULL, leases TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS override (limit_id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    `);
    this.keys = new KeyTable(this.#sql);
    this.standing = new StandingTable(this.#sql);
    this.#sql.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('record', 1)");
    this.#sql.exec(
      "INSERT INTO meta (name, value) VALUES ('schema', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value < excluded.value",
      SCHEMA_VERSION,
    );
  }

  load(nowMs: number): TenantState {
    const state: TenantState = {
      partitions: new Map(),
      lessees: new Map(),
      overrides: this.#overrides(),
      recordVersion: 1,
      keyEnds: this.keys.ends(),
      standing: this.standing.read(),
      corruptRows: 0,
    };
    for (const row of this.#sql.exec("SELECT name, state FROM partition")) {
      const name = textOf(row["name"]);
      const partition = parsePartition(parseJson(row["state"]));
      if (partition === undefined) state.corruptRows++;
      state.partitions.set(name, partition ?? unreadablePartition(nowMs));
    }
    for (const row of this.#sql.exec("SELECT lessee_id, seq, heard_at_ms, reply, leases FROM lessee")) {
      const lesseeId = textOf(row["lessee_id"]);
      const decision = parseDecision(parseJson(row["reply"]));
      if (decision === undefined) state.corruptRows++;
      state.lessees.set(lesseeId, { seq: Number(row["seq"]), heardAtMs: Number(row["heard_at_ms"]), decision });
      loadLeases(state, lesseeId, parseJson(row["leases"]));
    }
    state.corruptRows += this.#sql.exec("SELECT limit_id FROM override").toArray().length - state.overrides.size;
    const record = this.#sql.exec("SELECT value FROM meta WHERE name = 'record'").toArray()[0];
    state.recordVersion = typeof record?.["value"] === "number" ? record["value"] : 1;
    return state;
  }

  savePartition(name: string, { partitions }: LeaseBook): void {
    const partition = partitions.get(name);
    if (partition === undefined) return;
    const { leases: _leases, outstandingMicro: _sum, ...state } = partition;
    this.#sql.exec("INSERT OR REPLACE INTO partition (name, state) VALUES (?, ?)", name, JSON.stringify(state));
  }

  deletePartition(name: string): void {
    this.#sql.exec("DELETE FROM partition WHERE name = ?", name);
  }

  /** The last decision, and what the lessee holds of every partition. */
  saveLessee(lesseeId: string, { partitions, lessees }: LeaseBook): void {
    const lessee = lessees.get(lesseeId);
    if (lessee === undefined) return;
    const leases: Record<string, Lease> = {};
    for (const [name, partition] of partitions) {
      const lease = partition.leases.get(lesseeId);
      if (lease !== undefined) leases[name] = lease;
    }
    this.#sql.exec(
      "INSERT OR REPLACE INTO lessee (lessee_id, seq, heard_at_ms, reply, leases) VALUES (?, ?, ?, ?, ?)",
      lesseeId,
      lessee.seq,
      lessee.heardAtMs,
      JSON.stringify(lessee.decision),
      JSON.stringify(leases),
    );
  }

  deleteLessee(lesseeId: string): void {
    this.#sql.exec("DELETE FROM lessee WHERE lessee_id = ?", lesseeId);
  }

  /** Those that can be read; an unreadable one is as if it had ended. */
  #overrides(): Map<string, OverrideRecord> {
    const overrides = new Map<string, OverrideRecord>();
    for (const row of this.#sql.exec("SELECT limit_id, state FROM override ORDER BY limit_id")) {
      const override = parseOverride(textOf(row["limit_id"]), parseJson(row["state"]));
      if (override !== undefined) overrides.set(override.limitId, override);
    }
    return overrides;
  }

  saveOverride({ limitId, ...state }: OverrideRecord): void {
    this.#sql.exec("INSERT OR REPLACE INTO override (limit_id, state) VALUES (?, ?)", limitId, JSON.stringify(state));
  }

  deleteOverride(limitId: string): void {
    this.#sql.exec("DELETE FROM override WHERE limit_id = ?", limitId);
  }

  saveRecordVersion(version: number): void {
    this.#sql.exec("UPDATE meta SET value = ? WHERE name = 'record'", version);
  }
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

const PERIODS: readonly string[] = ["minute", "hour", "day", "month"];

export function parseSpec(value: unknown): LimitSpec | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, refillNumerator, refillDenominator, burstMicro, quotaMicro, period, timeZone, slotsMicro } = value;
  if (kind === "bucket" && isAmount(refillNumerator) && isAmount(refillDenominator) && isAmount(burstMicro)) {
    return refillNumerator > 0 && refillDenominator > 0 && burstMicro > 0
      ? { kind, refillNumerator, refillDenominator, burstMicro }
      : undefined;
  }
  if (kind === "quota" && isAmount(quotaMicro) && typeof timeZone === "string" && isPeriod(period)) {
    return { kind, quotaMicro, period, timeZone };
  }
  if (kind === "slots" && isAmount(slotsMicro)) return { kind, slotsMicro };
  return undefined;
}

function isPeriod(value: unknown): value is QuotaPeriod {
  return typeof value === "string" && PERIODS.includes(value);
}

function parsePartition(value: unknown): Partition | undefined {
  if (!isRecord(value)) return undefined;
  const spec = parseSpec(value["spec"]);
  const { specVersion, specSeenAtMs, epoch, freeMicro, refilledAtMs, carry, periodEndsAtMs } = value;
  // Rows of the version before know no debt.
  const { debtMicro = 0, writtenOffMicro = 0 } = value;
  if (
    spec === undefined ||
    !isAmount(specVersion) ||
    !isAmount(specSeenAtMs) ||
    !isAmount(epoch) ||
    !isAmount(freeMicro) ||
    !isAmount(refilledAtMs) ||
    !isAmount(carry) ||
    !isAmount(periodEndsAtMs) ||
    !isAmount(debtMicro) ||
    !isAmount(writtenOffMicro)
  ) {
    return undefined;
  }
  return {
    spec,
    specVersion,
    specSeenAtMs,
    epoch,
    freeMicro,
    debtMicro,
    writtenOffMicro,
    outstandingMicro: 0,
    refilledAtMs,
    carry,
    periodEndsAtMs,
    leases: new Map(),
  };
}

/** Its next call brings the spec; until then, and after, it starts from nothing. */
function unreadablePartition(nowMs: number): Partition {
  return {
    spec: { kind: "bucket", refillNumerator: 1, refillDenominator: 1, burstMicro: 1 },
    specVersion: 0,
    specSeenAtMs: 0,
    epoch: 0,
    freeMicro: 0,
    debtMicro: 0,
    writtenOffMicro: 0,
    outstandingMicro: 0,
    refilledAtMs: nowMs,
    carry: 0,
    periodEndsAtMs: 0,
    leases: new Map(),
  };
}

function loadLeases(state: TenantState, lesseeId: string, value: unknown): void {
  if (!isRecord(value)) {
    // What this lessee still holds is unknown: no partition may hand out tokens it might already have leased.
    state.corruptRows++;
    for (const partition of state.partitions.values()) partition.freeMicro = 0;
    return;
  }
  for (const [name, stored] of Object.entries(value)) {
    const partition = state.partitions.get(name);
    const lease = parseLease(stored);
    if (partition === undefined) continue;
    if (lease === undefined) {
      state.corruptRows++;
      partition.freeMicro = 0;
      continue;
    }
    partition.leases.set(lesseeId, lease);
    partition.outstandingMicro += lease.remainingMicro;
  }
}

function parseLease(value: unknown): Lease | undefined {
  if (!isRecord(value)) return undefined;
  const { remainingMicro, expiresAtMs, demandMicroPerSecond, heardAtMs } = value;
  if (!isAmount(remainingMicro) || !isAmount(expiresAtMs) || !isAmount(heardAtMs)) return undefined;
  // Rows of the version before did not melt.
  const { lineMicro = remainingMicro, meltMs = 0 } = value;
  if (!isAmount(lineMicro) || !isAmount(meltMs)) return undefined;
  const demand = typeof demandMicroPerSecond === "number" && demandMicroPerSecond >= 0 ? demandMicroPerSecond : 0;
  // Credit is only an order among lessees: it begins anew.
  return {
    remainingMicro,
    expiresAtMs,
    heardAtMs,
    lineMicro,
    meltMs,
    demandMicroPerSecond: demand,
    creditMicro: 0,
    sharedAtMs: heardAtMs,
  };
}

function parseOverride(limitId: string, value: unknown): OverrideRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { expiresAtMs, setAtMs, reason } = value;
  const spec = parseSpec(value["spec"]);
  if (spec === undefined || !isAmount(expiresAtMs) || !isAmount(setAtMs) || typeof reason !== "string")
    return undefined;
  return { limitId, spec, expiresAtMs, setAtMs, reason };
}

/** A stored decision is only ever handed back to the lessee it was made for; its shape is ours. */
function parseDecision(value: unknown): LeaseDecision | undefined {
  if (!isRecord(value) || !isAmount(value["decidedAtMs"])) return undefined;
  if (!Array.isArray(value["grants"]) || !Array.isArray(value["waiting"])) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own decision, written by us in the same transaction
  return value as unknown as LeaseDecision;
}
