/** Checks a lease request before anything is decided: malformed ones throw, and debit nothing. */
import { MAX_ITEMS, MAX_WAITING_GROUPS } from "../../policy/limits/call-queue.ts";
import type { LeaseItem, WaitingGroup } from "../../policy/limits/types.ts";
import { type LeaseRequest, MAX_USED_KEYS, MAX_WAITING_COUNT, TENANT_PROTOCOL_VERSION } from "../../protocol/tenant.ts";
import { parseSpec } from "./storage.ts";

const MAX_NAME_LENGTH = 256;

export function checkLeaseRequest(request: LeaseRequest): void {
  require(request.v === TENANT_PROTOCOL_VERSION, "protocol version");
  require(isName(request.lesseeId), "lesseeId");
  require(Number.isSafeInteger(request.seq) && request.seq > 0, "seq");
  require(isAmount(request.configVersion), "configVersion");
  require(request.items.length <= MAX_ITEMS, "number of items");
  require(request.waiting.length <= MAX_WAITING_GROUPS, "number of waiting groups");
  const names = new Set(request.items.map((item) => item.partition));
  require(names.size === request.items.length, "items: a partition comes twice");
  const { usedKeyIds = [] } = request;
  require(usedKeyIds.length <= MAX_USED_KEYS && usedKeyIds.every(isName), "used keys");
  for (const item of request.items) checkItem(item);
  for (const group of request.waiting) checkGroup(group, request.items.length);
}

function checkItem(item: LeaseItem): void {
  require(isName(item.partition), "partition");
  require(parseSpec(item.spec) !== undefined, "spec");
  require(isAmount(item.heldMicro) && isAmount(item.returnMicro) && isAmount(item.wantMicro), "amounts");
  require(isAmount(item.debtMicro ?? 0) && isAmount(item.refundMicro ?? 0) && isAmount(item.epoch ?? 0), "settlement");
  require(Number.isFinite(item.demandMicroPerSecond) && item.demandMicroPerSecond >= 0, "demand");
}

function checkGroup(group: WaitingGroup, items: number): void {
  require(Number.isSafeInteger(group.count) && group.count > 0 && group.count <= MAX_WAITING_COUNT, "waiting count");
  require(isAmount(group.costMicro) && group.costMicro > 0, "cost");
  for (const index of [...group.enforced, ...group.shadow]) {
    require(Number.isSafeInteger(index) && index >= 0 && index < items, "waiting item index");
  }
}

const isAmount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const isName = (value: string): boolean => typeof value === "string" && value !== "" && value.length <= MAX_NAME_LENGTH;

function require(holds: boolean, what: string): asserts holds {
  if (!holds) throw new TypeError(`lease request refused: bad ${what}`);
}
