/** Whether ports are free, before anything is started. */
import { createServer } from "node:net";

/** The first of `count` consecutive ports that cannot be had, and why; undefined: all are free. */
export async function findTakenPort(
  first: number,
  count: number,
): Promise<{ port: number; reason: string } | undefined> {
  for (let port = first; port < first + count; port++) {
    const reason = await whyTaken(port);
    if (reason !== undefined) return { port, reason };
  }
  return undefined;
}

/** Below the ports that systems take for outgoing connections. */
const FIRST_PORT = 20_000;
/** Each process chooses from a part of its own: of two that run side by side, both could find the same port free. */
const PARTS = 24;
const PORTS_OF_PART = 500;
const ATTEMPTS = 50;

/** The first of `count` consecutive ports that are free now. Throws when none are found. */
export async function freePorts(count: number): Promise<number> {
  const from = FIRST_PORT + (process.pid % PARTS) * PORTS_OF_PART;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = from + Math.floor(Math.random() * (PORTS_OF_PART - count));
    if ((await findTakenPort(first, count)) === undefined) return first;
  }
  throw new Error(`no ${count} consecutive free ports found`);
}

function whyTaken(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    server.listen(port, "127.0.0.1", () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
}
