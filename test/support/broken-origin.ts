/** A real HTTP origin whose failures can be switched while it runs; it notes what reached it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { seeded } from "../../sim/kernel/random.ts";

export type OriginMode =
  | "ok"
  | "reset"
  | "hang"
  | "cut"
  | "chunked-cut"
  | "slow-headers"
  | "endless"
  | "500"
  | "503"
  | "half-503"
  | "queue"
  | "401"
  | "403"
  | "404"
  | "410"
  | "429"
  | "999";

export interface Arrival {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

const SLOW_MS = 700;
/** queue: so many calls are worked on at once, for so long each; the others wait. */
const QUEUE_WORKERS = 12;
const QUEUE_WORK_MS = 50;
const DRIP_BYTES = 50_000;
const DRIP_MS = 5;

const catalogHeaders = (path: string): Record<string, string> =>
  path.startsWith("/catalog/") ? { "cache-control": "max-age=1", etag: '"v1"' } : {};

export class BrokenOrigin {
  mode: OriginMode = "ok";
  /** Of a sound answer, beside its media type. */
  headersOf: (path: string) => Readonly<Record<string, string>> = catalogHeaders;
  readonly arrivals: Arrival[] = [];
  /** Requests whose answer is not finished, and the most there ever were at once since `resetPeak`. */
  open = 0;
  peak = 0;
  port = 0;
  #server: Server | undefined;
  readonly #random = seeded(1);
  #working = 0;
  readonly #queue: (() => void)[] = [];
  readonly #sockets = new Set<Socket>();

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** On the same port as before, after the first time. */
  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response);
    });
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** As by kill -9: connections are reset, the port is closed. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  resetPeak(): void {
    this.peak = this.open;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "/";
    this.arrivals.push({ atMs: Date.now(), method: request.method ?? "", path, headers: request.headers });
    this.open++;
    this.peak = Math.max(this.peak, this.open);
    response.once("close", () => this.open--);
    request.resume();
    switch (this.mode) {
      case "ok":
        this.#serve(request, response, path);
        return;
      case "reset":
        request.socket.resetAndDestroy();
        return;
      case "hang":
        return;
      case "cut":
        response.writeHead(200, { "content-type": "text/plain", "content-length": "5000" });
        response.write("half a body", () => request.socket.destroy());
        return;
      case "chunked-cut":
        response.writeHead(200, { "content-type": "text/plain" });
        response.write("half a body", () => request.socket.destroy());
        return;
      case "slow-headers":
        setTimeout(() => {
          this.#serve(request, response, path);
        }, SLOW_MS);
        return;
      case "endless": {
        response.writeHead(200, { "content-type": "text/plain" });
        const drip = setInterval(() => response.write("x".repeat(DRIP_BYTES)), DRIP_MS);
        response.once("close", () => {
          clearInterval(drip);
        });
        return;
      }
      case "half-503":
        if (this.#random() < 0.5) this.#serve(request, response, path);
        else response.writeHead(503).end("broken");
        return;
      case "queue":
        this.#queue.push(() => {
          this.#serve(request, response, path);
        });
        this.#work();
        return;
      case "401":
      case "403":
      case "404":
      case "410":
      case "500":
      case "503":
      case "999":
        response.writeHead(Number(this.mode), { "content-type": "text/plain" });
        response.end("broken");
        return;
      case "429":
        response.writeHead(429, { "content-type": "text/plain", "retry-after": "7" });
        response.end("throttled by the origin");
        return;
    }
  }

  #work(): void {
    const next = this.#working < QUEUE_WORKERS ? this.#queue.shift() : undefined;
    if (next === undefined) return;
    this.#working++;
    setTimeout(() => {
      this.#working--;
      next();
      this.#work();
    }, QUEUE_WORK_MS);
  }

  #serve(request: IncomingMessage, response: ServerResponse, path: string): void {
    response.writeHead(200, { "content-type": "application/json", ...this.headersOf(path) });
    response.end(request.method === "HEAD" ? undefined : JSON.stringify({ path, at: Date.now() }));
  }
}
