import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seeded } from "../../../sim/kernel/random.ts";
import { decideAlerts, MAX_ALERTS, type AlertsDecided } from "../../../src/policy/alerting/machine.ts";
import { parseAlert } from "../../../src/policy/alerting/stored.ts";
import { MAX_NOTIFICATIONS, MAX_TOLD_AT_ONCE } from "../../../src/policy/alerting/telling.ts";
import type {
  Alert,
  AlertSettings,
  Condition,
  Notification,
  Receiver,
  Silence,
} from "../../../src/policy/alerting/types.ts";

const T0 = 1_000_000;
const GROUP_WAIT = 1_000;
const REPEAT = 60_000;
const receiver = (change: Partial<Receiver> = {}): Receiver => ({
  id: "ops",
  kind: "webhook",
  url: "https://ops.test/",
  secretName: "WEIR_OPS",
  severity: "ticket",
  ...change,
});
const settings = (...receivers: readonly Receiver[]): AlertSettings => ({
  receivers: receivers.length === 0 ? [receiver()] : receivers,
  repeatMs: REPEAT,
  groupWaitMs: GROUP_WAIT,
  spikeRatio: 0.5,
  spikeForMs: 120_000,
  spikeLeast: 100,
  watchdogMs: 30_000,
});
const condition = (name: string, change: Partial<Condition> = {}): Condition => ({
  fingerprint: name,
  kind: "breaker",
  severity: "page",
  labels: { origin: name },
  summary: `${name} is open`,
  forMs: 0,
  ...change,
});

/** Turns in a row, each stored and loaded again. */
class Watch {
  alerts: ReadonlyMap<string, Alert> = new Map();
  silences: readonly Silence[] = [];
  readonly told: (Notification & { readonly atMs: number })[] = [];
  settings: AlertSettings;

  constructor(given = settings()) {
    this.settings = given;
  }

  turn(atMs: number, conditions: readonly Condition[], room = 1_000): AlertsDecided {
    const decide = () => decideAlerts(this.alerts, conditions, this.silences, this.settings, T0 + atMs, room);
    const decided = decide();
    // What is decided twice is the same: the same ids.
    expect(decide().notifications.map(({ id }) => id)).toEqual(decided.notifications.map(({ id }) => id));
    const stored = new Map([...this.alerts].filter(([fingerprint]) => !decided.removed.includes(fingerprint)));
    for (const alert of decided.changed) {
      const parsed = parseAlert(JSON.parse(JSON.stringify(alert)));
      if (parsed === undefined) throw new Error(`cannot be read: ${JSON.stringify(alert)}`);
      stored.set(alert.condition.fingerprint, parsed);
    }
    expect(stored.size).toBe(decided.alerts.size);
    this.alerts = stored;
    this.told.push(...decided.notifications.map((notification) => ({ ...notification, atMs })));
    return decided;
  }

  /** "receiver: fingerprint status, ...@time". */
  lines(): readonly string[] {
    return this.told.map(
      ({ receiverId, alerts, atMs }) =>
        `${receiverId}: ${alerts.map(({ fingerprint, status }) => `${fingerprint} ${status}`).join(", ")}@${atMs}`,
    );
  }

  state(fingerprint: string): string | undefined {
    return this.alerts.get(fingerprint)?.life.kind;
  }
}

const shop = condition("shop");

describe("an alert", () => {
  it("fires, is told after the group's wait, repeated, and told to be over", () => {
    const watch = new Watch();
    for (const atMs of [0, 999, 1_000, 1_001, 60_999, 61_000, 70_000]) watch.turn(atMs, [shop]);
    for (const atMs of [80_000, 81_000, 90_000, 200_000]) watch.turn(atMs, []);
    expect(watch.lines()).toEqual(["ops: shop firing@1000", "ops: shop firing@61000", "ops: shop resolved@81000"]);
    expect(new Set(watch.told.map(({ id }) => id)).size).toBe(3);
  });

  it("says when time alone changes something", () => {
    const watch = new Watch();
    expect(watch.turn(0, [shop]).nextAtMs).toBe(T0 + 1_000);
    expect(watch.turn(1_000, [shop]).nextAtMs).toBe(T0 + 61_000);
    expect(watch.turn(2_000, []).nextAtMs).toBe(T0 + 3_000);
    expect(watch.turn(3_000, []).nextAtMs).toBe(Number.POSITIVE_INFINITY);
    expect(watch.turn(4_000, [condition("slow", { forMs: 500 })]).nextAtMs).toBe(T0 + 4_500);
  });

  it("is pending until its condition has lasted, and forgotten if it does not", () => {
    const watch = new Watch();
    const slow = condition("slow", { forMs: 30_000 });
    watch.turn(0, [slow]);
    expect(watch.state("slow")).toBe("pending");
    watch.turn(10_000, []);
    expect(watch.state("slow")).toBeUndefined();
    for (const atMs of [20_000, 49_999, 50_000, 51_000]) watch.turn(atMs, [slow]);
    expect(watch.lines()).toEqual(["ops: slow firing@51000"]);
  });

  it("is one firing when it comes back before its end was told, or within the time it is kept", () => {
    const watch = new Watch();
    for (const [atMs, isTrue] of [
      [0, 1],
      [1_000, 1],
      [2_000, 0],
      [2_500, 1],
      [5_000, 1],
    ] as const) {
      watch.turn(atMs, isTrue ? [shop] : []);
    }
    expect(watch.lines()).toEqual(["ops: shop firing@1000"]);
    const kept = condition("kept", { keepMs: 10_000 });
    for (const [atMs, isTrue] of [
      [10_000, 1],
      [11_000, 1],
      [12_000, 0],
      [21_999, 1],
      [23_000, 0],
      [33_000, 0],
      [34_000, 0],
    ] as const) {
      watch.turn(atMs, isTrue ? [shop, kept] : [shop]);
    }
    expect(watch.lines().slice(1)).toEqual(["ops: kept firing@11000", "ops: kept resolved@34000"]);
  });

  it("that was over, as told, fires anew", () => {
    const watch = new Watch();
    for (const [atMs, isTrue] of [
      [0, 1],
      [1_000, 1],
      [2_000, 0],
      [3_000, 0],
      [4_000, 1],
      [5_000, 1],
    ] as const) {
      watch.turn(atMs, isTrue ? [shop] : []);
    }
    expect(watch.lines()).toEqual(["ops: shop firing@1000", "ops: shop resolved@3000", "ops: shop firing@5000"]);
    expect(new Set(watch.told.map(({ id }) => id)).size).toBe(3);
  });

  it("is told together with its group, to PagerDuty alone", () => {
    const burn = (name: string): Condition => condition(name, { kind: "burn", labels: { objective: "o" } });
    const watch = new Watch(settings(receiver(), receiver({ id: "pd", kind: "pagerduty" })));
    watch.turn(0, [burn("a"), shop]);
    watch.turn(900, [burn("a"), burn("b"), shop]);
    watch.turn(1_000, [burn("a"), burn("b"), shop]);
    watch.turn(2_000, [burn("a"), burn("b"), shop]);
    expect(watch.lines()).toEqual([
      "ops: a firing, b firing@1000",
      "ops: shop firing@1000",
      "pd: a firing@1000",
      "pd: shop firing@1000",
      "pd: b firing@2000",
    ]);
  });

  it("goes to receivers that want its kind and severity, the watchdog to those that name it", () => {
    const watch = new Watch(
      settings(
        receiver({ id: "pages", severity: "page" }),
        receiver({ id: "burns", kinds: ["burn"] }),
        receiver({ id: "dog", severity: "page", kinds: ["watchdog"] }),
      ),
    );
    const ticket = condition("t", { severity: "ticket" });
    const info = condition("i", { severity: "info", kind: "burn", labels: { objective: "i" } });
    for (const atMs of [0, 1_000, 20_000, 31_000]) watch.turn(atMs, [shop, ticket, info]);
    expect(watch.lines()).toEqual([
      "pages: shop firing@1000",
      "dog: watchdog firing@1000",
      "dog: watchdog firing@31000",
    ]);
  });
});

describe("what is quiet", () => {
  const silence = (match: Silence["match"], untilMs = T0 + 10_000): Silence => ({
    id: "s1",
    match,
    untilMs,
    reason: "r",
    by: "ann",
  });

  it("is told when the silence ends, if it still fires", () => {
    const watch = new Watch();
    watch.silences = [silence({ origin: "shop", kind: "breaker" })];
    watch.turn(0, [shop]);
    expect(watch.turn(1_000, [shop]).nextAtMs).toBeLessThanOrEqual(T0 + 10_000);
    expect(watch.alerts.get("shop")?.quiet).toEqual({ by: "silence", id: "s1" });
    watch.turn(10_000, [shop]);
    expect(watch.lines()).toEqual(["ops: shop firing@10000"]);
  });

  it("was told, and ends in a silence: its end is told", () => {
    const watch = new Watch();
    watch.turn(0, [shop]);
    watch.turn(1_000, [shop]);
    watch.silences = [silence({ severity: "page" }, T0 + 500_000)];
    watch.turn(100_000, [shop]);
    watch.turn(101_000, []);
    watch.turn(102_000, []);
    expect(watch.lines()).toEqual(["ops: shop firing@1000", "ops: shop resolved@102000"]);
  });

  it.each<Silence["match"]>([{}, { origin: "shop", pop: "FRA" }, { origin: "search" }, { constructor: "x" }])(
    "is not what a silence of %o leaves out",
    (match) => {
      const watch = new Watch();
      watch.silences = [silence(match)];
      watch.turn(0, [shop]);
      watch.turn(1_000, [shop]);
      expect(watch.lines()).toEqual(["ops: shop firing@1000"]);
    },
  );

  it("are a PoP's breaker while the world's is open, and a ticket while its objective pages", () => {
    const pop = condition("shop-fra", { severity: "ticket", labels: { origin: "shop", pop: "FRA" } });
    const elsewhere = condition("search-fra", { severity: "ticket", labels: { origin: "search", pop: "FRA" } });
    const forced = condition("forced", { severity: "ticket", labels: { origin: "shop", forced: "closed" } });
    const burn = (name: string, severity: Condition["severity"], objective: string): Condition =>
      condition(name, { kind: "burn", severity, labels: { objective } });
    const all = [
      shop,
      pop,
      elsewhere,
      forced,
      burn("p", "page", "o"),
      burn("t", "ticket", "o"),
      burn("u", "ticket", "v"),
    ];
    const watch = new Watch();
    watch.turn(0, all);
    const quiet = [...watch.alerts.values()].filter((alert) => alert.quiet !== undefined);
    expect(quiet.map((alert) => [alert.condition.fingerprint, alert.quiet])).toEqual([
      ["shop-fra", { by: "inhibition", id: "shop" }],
      ["t", { by: "inhibition", id: "p" }],
    ]);
    // The world's breaker is closed again; the PoP's is not.
    watch.turn(5_000, all);
    watch.turn(6_000, [pop]);
    watch.turn(7_000, [pop]);
    expect(watch.lines()).toContain("ops: shop resolved, shop-fra firing, forced resolved@6000");
  });
});

describe("bounds", () => {
  const many = (count: number, change: Partial<Condition> = {}): Condition[] =>
    Array.from({ length: count }, (_, index) => condition(`m${index}`, change));

  it("hold for alerts: the gravest come first, the others are counted, and come in when there is room", () => {
    const watch = new Watch();
    const conditions = [...many(MAX_ALERTS, { severity: "ticket" }), shop];
    expect(watch.turn(0, conditions).passedOver).toBe(2);
    expect(watch.alerts.size).toBe(MAX_ALERTS);
    expect(watch.state("shop")).toBe("firing");
  });

  it("hold for a turn's notifications and for what one tells; the rest goes with the next turns", () => {
    const watch = new Watch();
    const conditions = many(300);
    watch.turn(0, conditions);
    const counts = [1_000, 2_000, 3_000, 4_000].map((atMs) => watch.turn(atMs, conditions).notifications.length);
    expect(counts).toEqual([MAX_NOTIFICATIONS, MAX_NOTIFICATIONS, MAX_NOTIFICATIONS, 0]);
    const spikes = many(50, { kind: "throttle-spike", labels: { tenant: "t" } });
    watch.turn(5_000, spikes);
    watch.told.length = 0;
    watch.turn(7_000, spikes);
    const sizes = watch.told.filter(({ group }) => group.startsWith("throttle")).map(({ alerts }) => alerts.length);
    expect(sizes.every((size) => size <= MAX_TOLD_AT_ONCE)).toBe(true);
  });

  it("forget what is over after a day, once its end was told", () => {
    const watch = new Watch();
    watch.turn(0, [shop]);
    watch.turn(1_000, [shop]);
    watch.turn(2_000, []);
    watch.turn(3_000, [], 0);
    watch.turn(90_000_000, [], 0);
    expect(watch.state("shop")).toBe("resolved");
    watch.turn(90_000_001, []);
    expect(watch.state("shop")).toBeUndefined();
    expect(watch.lines().at(-1)).toBe("ops: shop resolved@90000001");
  });
});

describe("whatever happens (random programs)", () => {
  const RECEIVERS = [
    receiver({ id: "all", severity: "info" }),
    receiver({ id: "pages", severity: "page" }),
    receiver({ id: "pd", kind: "pagerduty" }),
  ];
  const pool: readonly Condition[] = [
    condition("shop"),
    condition("shop-fra", { severity: "ticket", labels: { origin: "shop", pop: "FRA" }, keepMs: 3_000 }),
    condition("p", { kind: "burn", labels: { objective: "o" } }),
    condition("t", { kind: "burn", severity: "ticket", labels: { objective: "o" } }),
    condition("away", { kind: "coordinator-away", labels: { coordinator: "tenant" }, forMs: 4_000, keepMs: 2_000 }),
  ];

  /** Runs a random program, then lets everything settle. */
  function play(seed: number): Watch {
    const random = seeded(seed);
    const watch = new Watch(settings(...RECEIVERS));
    let atMs = 0;
    let conditions: readonly Condition[] = [];
    for (let turn = 0; turn < 80; turn++) {
      atMs += Math.floor(random() * random() * 8_000);
      if (random() < 0.6) conditions = pool.filter(() => random() < 0.5);
      if (random() < 0.1) {
        const match = random() < 0.5 ? { kind: "burn" } : { origin: "shop" };
        watch.silences = [{ id: `s${turn}`, match, untilMs: T0 + atMs + random() * 20_000, reason: "r", by: "b" }];
      }
      watch.turn(atMs, conditions, random() < 0.3 ? Math.floor(random() * 3) : 1_000);
    }
    watch.silences = [];
    for (let turn = 0; turn < 4; turn++) watch.turn((atMs += 5_000), conditions);
    return watch;
  }

  it("nothing is told twice, an end follows its firing, and repeats keep their distance", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { told } = play(seed);
        expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
        const last = new Map<string, { readonly status: string; readonly firedAtMs: number; readonly atMs: number }>();
        for (const { receiverId, alerts, atMs } of told) {
          for (const { fingerprint, status, firedAtMs } of alerts) {
            const key = `${receiverId}|${fingerprint}`;
            const before = last.get(key);
            if (status === "resolved") expect(before?.status).toBe("firing");
            else if (before?.status === "firing") expect(atMs - before.atMs).toBeGreaterThanOrEqual(REPEAT);
            else expect(firedAtMs).toBeGreaterThan(before?.firedAtMs ?? 0);
            last.set(key, { status, firedAtMs, atMs });
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("whoever wants what fires has heard of it, whoever heard of it has heard of its end, and nobody else anything", () => {
    let resolved = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { told, alerts } = play(seed);
        for (const { condition: about, life, quiet } of alerts.values()) {
          if (about.kind === "watchdog") continue;
          for (const { id, severity } of RECEIVERS) {
            const wants =
              severity === "info" ||
              about.severity === "page" ||
              (severity === "ticket" && about.severity === "ticket");
            const heard = told
              .filter(({ receiverId }) => receiverId === id)
              .flatMap(({ alerts }) => alerts.filter(({ fingerprint }) => fingerprint === about.fingerprint))
              .at(-1);
            if (!wants) expect(heard).toBeUndefined();
            else if (life.kind === "firing" && quiet === undefined) expect(heard?.status).toBe("firing");
            else if (life.kind === "resolved" && heard !== undefined) {
              expect(heard.status).toBe("resolved");
              resolved++;
            }
          }
        }
      }),
      { numRuns: 60 },
    );
    expect(resolved).toBeGreaterThan(20);
  });
});
