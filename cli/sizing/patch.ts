/** Proposals as a JSON merge patch of the config file, for `weir apply --patch`. */
import type { Place, Proposal } from "../../src/policy/sizing/types.ts";

interface Members {
  [name: string]: unknown;
}

/** `file`: what is in force, parsed; where a tenant keeps a limit, all that stands at it is copied. */
export function patchOf(proposals: readonly Proposal[], file: unknown): Members {
  const patch: Members = {};
  for (const proposal of proposals) {
    switch (proposal.kind) {
      case "bucket":
        set(patch, [...proposal.place, "rate"], `${proposal.ratePerSecond}/s`);
        set(patch, [...proposal.place, "burst"], proposal.burstTokens);
        break;
      case "slots":
        set(patch, proposal.place, proposal.slots);
        break;
      case "keep":
        set(patch, ["tenants", proposal.tenant, "limits", proposal.name], at(file, proposal.from));
    }
  }
  return patch;
}

/** Names are of a checked config: none is a prototype's. */
function set(members: Members, place: Place, value: unknown): void {
  const [name = "", ...below] = place;
  if (below.length === 0) {
    members[name] = value;
    return;
  }
  const child: Members = isMembers(members[name]) ? members[name] : {};
  members[name] = child;
  set(child, below, value);
}

function at(value: unknown, [name, ...below]: Place): unknown {
  if (name === undefined) return value;
  return isMembers(value) ? at(value[name], below) : undefined;
}

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);
