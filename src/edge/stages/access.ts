/**
 * access: who may call at all. Refuses whom a deny list names and whom an allow list misses; marks exempt callers, so
 * that `admit` charges them nothing. Only the platform's word on the address counts, never a header of the client's.
 * Decided in the isolate: a refused caller costs no coordinator call.
 */
import { type Address, parseAddress } from "../../config/access-entry.ts";
import { standingOf } from "../../config/access.ts";
import type { Edge } from "../edge.ts";
import type { Exchange, StageAnswer } from "../exchange.ts";
import { refuse } from "../refuse.ts";
import { series } from "../../protocol/series.ts";

export const ON_DENY = series("weir_access_refused_total", { list: "deny" });
const NOT_ON_ALLOW = series("weir_access_refused_total", { list: "allow" });

export function access(edge: Edge, x: Exchange): StageAnswer {
  const { caller } = x;
  if (caller?.tenant.access === undefined) return undefined;
  switch (standingOf(caller.tenant.access, addressOf(edge, x.clientIp), caller.keyId)) {
    case "charged":
      return undefined;
    case "exempt":
      caller.exempt = true;
      return undefined;
    case "denied":
      edge.counters.countEvent(ON_DENY);
      return refuse(x, "denied");
    case "unlisted":
      edge.counters.countEvent(NOT_ON_ALLOW);
      return refuse(x, "denied");
  }
}

function addressOf(edge: Edge, clientIp: string): Address {
  let address = edge.parsedAddresses.get(clientIp);
  if (address === undefined) {
    address = parseAddress(clientIp);
    edge.parsedAddresses.set(clientIp, address);
  }
  return address;
}
