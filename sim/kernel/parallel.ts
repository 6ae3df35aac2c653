/** Many independent runs on as many threads as there are processors. The module that asks is also what the threads run. */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

/** Jobs go to whichever thread is free; outcomes come back in the order of the jobs. `moduleUrl` calls `serveJobs`. */
export async function runParallel<Outcome>(moduleUrl: string, jobs: readonly unknown[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const threads = Math.min(jobs.length, Math.max(1, availableParallelism()));
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL(moduleUrl), { execArgv: process.execArgv });
    try {
      while (next < jobs.length) {
        const index = next++;
        worker.postMessage(jobs[index]);
        // Rejects when the thread fails.
        const [outcome]: Outcome[] = await once(worker, "message");
        if (outcome === undefined) throw new TypeError("a thread answered nothing");
        outcomes[index] = outcome;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return outcomes;
}

/** In a thread: performs each job that comes. In the main thread: nothing. */
export function serveJobs(perform: (job: never) => unknown): void {
  if (isMainThread) return;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the module that sends the jobs is the one that serves them
  parentPort?.on("message", (job) => parentPort?.postMessage(perform(job as never)));
}
