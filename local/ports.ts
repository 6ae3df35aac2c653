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
