/**
 * Decompression bombs: a small compressed answer unpacks to a large one in the gateway's memory. Safe: what is larger than
 * 256 KiB unpacked is streamed at the client's pace, and never stored beyond 32 MiB; memory stays where it was.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { attacked, get, unused } from "./support/attack.ts";

const MEGABYTES = 128;
const hasProc = process.platform === "linux" && attacked.pid !== 0;

/** Resident memory of the runtime, in MiB. */
function residentMiB(): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${attacked.pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

/** The most that the runtime grew by while so many megabytes passed through it. */
async function growthOf(megabytes: number): Promise<number> {
  const before = residentMiB();
  let peak = before;
  const answer = await fetch(`${attacked.url}${unused("plain")}?zeros=${megabytes}`);
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += (chunk as Uint8Array).byteLength;
    peak = Math.max(peak, residentMiB());
  }
  expect(bytes).toBe(megabytes * 1_048_576);
  return peak - before;
}

it.runIf(hasProc)(`${MEGABYTES} MiB of zeros pass through, and memory does not grow with them`, async () => {
  // What waits for the collector is there from the first one on.
  const first = await growthOf(MEGABYTES / 2);
  const growth = await growthOf(MEGABYTES);
  console.log(
    `${MEGABYTES / 2} and ${MEGABYTES} MiB: resident memory grew by ${first.toFixed(0)} and ${growth.toFixed(0)} MiB`,
  );
  expect(growth).toBeLessThan(MEGABYTES / 2);
  expect((await get(unused("plain"))).status).toBe(200);
});

it("one that may be stored is passed on whole, and kept by nobody beyond 32 MiB", async () => {
  const url = `${unused("shared")}?zeros=34&cc=max-age%3D60`;
  for (let time = 0; time < 2; time++) {
    const answer = await fetch(attacked.url + url);
    expect([answer.headers.get("weir-served"), (await answer.arrayBuffer()).byteLength]).toEqual([
      "origin",
      35_651_584,
    ]);
  }
});

it("a client that stops reading stops the bomb", async () => {
  const answer = await fetch(`${attacked.url}${unused("shared")}?zeros=${MEGABYTES}`);
  const reader = answer.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect((await get(unused("shared"))).status).toBe(200);
});

it("a compressed request body is not unpacked", async () => {
  const answer = await fetch(`${attacked.url}${unused("plain")}`, {
    method: "POST",
    headers: { "content-encoding": "gzip" },
    body: Buffer.alloc(1_000),
  });
  expect(await answer.json()).toMatchObject({ bytes: 1_000, headers: { "content-encoding": "gzip" } });
});
