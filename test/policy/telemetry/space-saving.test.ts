import { describe, expect, it } from "vitest";
import { halve, newSketch, restoreCounter, type Sketch, weigh } from "../../../src/policy/telemetry/space-saving.ts";
import { seeded } from "../../../sim/kernel/random.ts";

const SEED = Number(process.env["WEIR_SEED"] ?? Math.floor(Math.random() * 1e9));

interface World {
  sketch: Sketch;
  readonly exact: Map<string, number>;
  total: number;
}

const newWorld = (capacity: number): World => ({ sketch: newSketch(capacity), exact: new Map(), total: 0 });

function give(world: World, key: string, weight: number): void {
  world.total += weight;
  world.exact.set(key, (world.exact.get(key) ?? 0) + weight);
  weigh(world.sketch, key, weight);
}

/** Few heavy keys, in bursts, among many light ones that each come once or twice. */
function fill(world: World, random: () => number, steps: number): void {
  for (let step = 0; step < steps; step++) {
    const isHeavy = random() < 0.4;
    const key = isHeavy ? `heavy-${Math.floor(random() ** 3 * 40)}` : `light-${Math.floor(random() * steps)}`;
    give(world, key, 1 + Math.floor(random() * (isHeavy ? 20 : 3)));
  }
}

function expectGuarantees({ sketch, exact, total }: World): void {
  const least = sketch.heap[0]?.weight ?? 0;
  expect(sketch.heap.length).toBeLessThanOrEqual(sketch.capacity);
  expect(least).toBeLessThanOrEqual(total / sketch.capacity);
  for (const [key, weight] of exact) {
    const counter = sketch.counters.get(key);
    if (weight > total / sketch.capacity) expect([key, counter?.key]).toEqual([key, key]);
    if (counter === undefined) {
      expect(weight).toBeLessThanOrEqual(least);
      continue;
    }
    expect(counter.weight).toBeGreaterThanOrEqual(weight);
    expect(counter.weight - counter.error).toBeLessThanOrEqual(weight);
    expect(counter.error).toBeLessThanOrEqual(least);
  }
  for (const [place, counter] of sketch.heap.entries()) {
    expect(counter.place).toBe(place);
    expect(sketch.heap[Math.floor((place - 1) / 2)]?.weight ?? 0).toBeLessThanOrEqual(counter.weight);
  }
}

describe(`the heaviest of many, seed ${SEED}`, () => {
  const random = seeded(SEED);

  it("are all remembered, their weights over the exact ones by the least weight at most", () => {
    for (let round = 0; round < 30; round++) {
      const world = newWorld(1 + Math.floor(random() * 60));
      for (let part = 0; part < 5; part++) {
        fill(world, random, 400);
        expectGuarantees(world);
      }
    }
  });

  it("are exact while there are no more than there is room for", () => {
    const world = newWorld(50);
    for (let step = 0; step < 2_000; step++) give(world, `key-${Math.floor(random() * 50)}`, 1 + random());
    for (const [key, weight] of world.exact) {
      expect(world.sketch.counters.get(key)).toMatchObject({ error: 0 });
      expect(world.sketch.counters.get(key)?.weight).toBeCloseTo(weight, 6);
    }
  });

  it("of several sketches together are remembered by one of them at least, and what is missing is bounded", () => {
    for (let round = 0; round < 20; round++) {
      const worlds = Array.from({ length: 4 }, () => newWorld(20));
      for (const world of worlds) fill(world, random, 100 + Math.floor(random() * 900));
      const total = worlds.reduce((sum, world) => sum + world.total, 0);
      for (const key of new Set(worlds.flatMap(({ exact }) => [...exact.keys()]))) {
        const weight = worlds.reduce((sum, { exact }) => sum + (exact.get(key) ?? 0), 0);
        const told = worlds.reduce((sum, { sketch }) => sum + (sketch.counters.get(key)?.weight ?? 0), 0);
        if (weight > total / 20) expect([key, told > 0]).toEqual([key, true]);
        const least = worlds.reduce((sum, { sketch }) => sum + (sketch.heap[0]?.weight ?? 0), 0);
        expect(weight - told).toBeLessThanOrEqual(least);
      }
    }
  });

  it("keep what they guarantee when weights are halved, and when they are stored and read back", () => {
    const world = newWorld(30);
    for (let part = 0; part < 6; part++) {
      fill(world, random, 500);
      halve(world.sketch);
      world.total /= 2;
      for (const [key, weight] of world.exact) world.exact.set(key, weight / 2);
      const read = newSketch(30);
      for (const { key, weight, error } of world.sketch.heap) restoreCounter(read, key, weight, error);
      world.sketch = read;
      expectGuarantees(world);
    }
  });

  it("are found in a million keys that come once each", () => {
    const world = newWorld(1_000);
    for (let index = 0; index < 1_000_000; index++) {
      weigh(world.sketch, `random-${index}`, 1);
      if (index % 500 === 0) weigh(world.sketch, "steady", 1);
    }
    expect(world.sketch.counters.get("steady")?.weight).toBeGreaterThanOrEqual(2_000);
    expect(world.sketch.counters.size).toBe(1_000);
  });
});
