/**
 * Decompression bombs: a small compressed answer unpacks to a large one in the gateway's memory. Safe: what is larger than
 * 256 KiB unpacked is streamed at the client's pace, and never stored beyond 32 MiB; memory stays where it was.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { attacked, get, unused } from "./support/attack.ts";

const MEGABYTES = 64;
const hasProc = process.platform === "linux" && attacked.pid !== 0;

/** Resident memory of the runtime, in MiB. */
function residentMiB(): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${attacked.pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

it.runIf(hasProc)(`${MEGABYTES} MiB of zeros pass through, and leave no trace in memory`, async () => {
  const before = residentMiB();
  let peak = before;
  const answer = await fetch(`${attacked.url}${unused("shared")}?zeros=${MEGABYTES}&cc=max-age%3D60`);
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += (chunk as Uint8Array).byteLength;
    peak = Math.max(peak, residentMiB());
  }
  console.log(`${bytes} bytes; resident before ${before.toFixed(0)} MiB, at most ${peak.toFixed(0)} MiB`);
  expect(bytes).toBe(MEGABYTES * 1_048_576);
  expect(peak - before).toBeLessThan(100);
  expect((await get(unused("shared"))).status).toBe(200);
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
