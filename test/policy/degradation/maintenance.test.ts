import { describe, expect, it } from "vitest";
import {
  judgeMaintenance,
  type Maintenance,
  MAX_ALLOWED_TOGETHER,
  MAX_MAINTENANCES,
  placeMaintenance,
  viewMaintenance,
  type ViewedMaintenance,
  withoutMaintenance,
} from "../../../src/policy/degradation/maintenance.ts";

const stored = (change: Partial<Maintenance> = {}): Maintenance => ({
  routeId: undefined,
  startsAtMs: 1_000,
  endsAtMs: 61_000,
  allow: [],
  pageOnly: false,
  reason: "upgrade",
  by: "ann",
  setAtMs: 0,
  ...change,
});
const viewed = (change: Partial<ViewedMaintenance> = {}): ViewedMaintenance => ({
  startsInMs: 0,
  endsInMs: 60_000,
  allow: [],
  pageOnly: false,
  ...change,
});
const nobody = (): boolean => false;
const named = (allow: readonly string[]): boolean => allow.includes("me");

describe("maintenance as edges hear of it", () => {
  it("is in durations, and not there any more once it has ended", () => {
    const all = [stored({ startsAtMs: 5_000 }), stored({ routeId: "shop", startsAtMs: 0, endsAtMs: 2_000 })];
    expect(viewMaintenance(all, 1_000)).toEqual([
      { startsInMs: 4_000, endsInMs: 60_000, allow: [], pageOnly: false },
      { routeId: "shop", startsInMs: 0, endsInMs: 1_000, allow: [], pageOnly: false },
    ]);
    expect(viewMaintenance(all, 2_000)).toHaveLength(1);
    expect(viewMaintenance(all, 61_000)).toBeUndefined();
    expect(viewMaintenance([], 0)).toBeUndefined();
  });

  it("begins and ends by itself, however old the view is", () => {
    const [first, last] = [10_000, 20_000];
    const view = [viewed({ startsInMs: first, endsInMs: last })];
    const at = (ageMs: number): unknown => judgeMaintenance(view, ageMs, "shop", nobody);
    expect(at(first - 1)).toBeUndefined();
    expect(at(first)).toEqual({ kind: "held", retryAfterMs: last - first, pageOnly: false });
    expect(at(last - 1)).toEqual({ kind: "held", retryAfterMs: 1, pageOnly: false });
    expect(at(last)).toBeUndefined();
  });

  it("of a route holds for that route alone, of an origin for all", () => {
    const ofShop = [viewed({ routeId: "shop" })];
    expect(judgeMaintenance(ofShop, 0, "shop", nobody)?.kind).toBe("held");
    expect(judgeMaintenance(ofShop, 0, "blog", nobody)).toBeUndefined();
    expect(judgeMaintenance([viewed()], 0, "blog", nobody)?.kind).toBe("held");
  });

  it("lets a caller pass whom each one in force names, and holds others until the last of theirs ends", () => {
    const origin = viewed({ allow: ["me"], endsInMs: 90_000, pageOnly: true });
    const route = viewed({ routeId: "shop", endsInMs: 30_000 });
    expect(judgeMaintenance([origin], 0, "shop", named)).toEqual({ kind: "allowed" });
    for (const both of [
      [origin, route],
      [route, origin],
    ]) {
      expect(judgeMaintenance(both, 0, "shop", named)).toEqual({ kind: "held", retryAfterMs: 30_000, pageOnly: false });
      expect(judgeMaintenance(both, 0, "shop", nobody)).toEqual({ kind: "held", retryAfterMs: 90_000, pageOnly: true });
      expect(judgeMaintenance(both, 30_000, "shop", named)).toEqual({ kind: "allowed" });
    }
  });
});

describe("what a coordinator keeps of maintenance", () => {
  it("is one for each route and one for the origin, the newest; what has ended goes", () => {
    const all = [stored({ reason: "old" }), stored({ routeId: "shop" }), stored({ routeId: "gone", endsAtMs: 1_500 })];
    const placed = placeMaintenance(all, stored({ reason: "new" }), 2_000);
    expect(placed.kind === "placed" && placed.all.map(({ routeId, reason }) => [routeId, reason])).toEqual([
      ["shop", "upgrade"],
      [undefined, "new"],
    ]);
    expect(withoutMaintenance(all, undefined, 0).map(({ routeId }) => routeId)).toEqual(["shop", "gone"]);
  });

  it("is bounded in number and in what its lists name", () => {
    const full = Array.from({ length: MAX_MAINTENANCES }, (_, index) => stored({ routeId: `route-${index}` }));
    expect(placeMaintenance(full, stored(), 2_000)).toEqual({ kind: "refused", reason: "too-many" });
    expect(placeMaintenance(full, stored({ routeId: "route-0" }), 2_000).kind).toBe("placed");
    // Once they have ended there is room.
    expect(placeMaintenance(full, stored({ endsAtMs: 99_000 }), 61_000).kind).toBe("placed");
    const entries = (count: number): readonly string[] =>
      Array.from({ length: count }, (_, index) => `10.0.0.${index}`);
    const before = [stored({ routeId: "shop", allow: entries(MAX_ALLOWED_TOGETHER - 10) })];
    expect(placeMaintenance(before, stored({ allow: entries(10) }), 2_000).kind).toBe("placed");
    expect(placeMaintenance(before, stored({ allow: entries(11) }), 2_000)).toEqual({
      kind: "refused",
      reason: "allow-lists-too-long",
    });
  });
});
