/**
 * An origin to play with: a few resources, and a switch that breaks it. `npm start` runs it when no config is given.
 *
 *   POST /__control/break   body {"mode": "503" | "500" | "429" | "hang" | "reset" | "slow" | "cut"}, default 503
 *   POST /__control/mend
 *   GET  /__control/stats
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

const MODES = ["503", "500", "429", "hang", "reset", "slow", "cut"] as const;
type Mode = (typeof MODES)[number];
const SLOW_MS = 1_500;
const MAX_CONTROL_BYTES = 1_024;

export interface DemoOrigin {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

export async function startDemoOrigin(options: { readonly port: number; readonly host?: string }): Promise<DemoOrigin> {
  const { port, host = "127.0.0.1" } = options;
  const state: { mode: Mode | undefined; requests: number; broken: number } = {
    mode: undefined,
    requests: 0,
    broken: 0,
  };
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/__control/") === true) {
      void control(request, response, state);
      return;
    }
    state.requests++;
    if (state.mode === undefined) serve(request, response);
    else {
      state.broken++;
      fail(state.mode, request, response);
    }
  });
  await listen(server, port, host);
  return {
    url: `http://${host}:${port}`,
    port,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const answer = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(request.method === "HEAD" ? undefined : `${JSON.stringify(body)}\n`);
  };
  request.resume();
  if (path.startsWith("/catalog/")) {
    const headers = { "cache-control": "max-age=2", etag: `"${path.length}"` };
    answer(200, { product: path.slice("/catalog/".length), price: 9.5, at: new Date().toISOString() }, headers);
  } else if (path === "/orders" && request.method === "POST") answer(201, { order: "accepted" });
  else if (path === "/health") answer(200, { healthy: true });
  else answer(200, { hello: "from the origin", path });
}

function fail(mode: Mode, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  switch (mode) {
    case "503":
    case "500":
      response.writeHead(Number(mode), { "content-type": "text/plain" });
      response.end("the origin is broken\n");
      return;
    case "429":
      response.writeHead(429, { "content-type": "text/plain", "retry-after": "3" });
      response.end("the origin throttles\n");
      return;
    case "reset":
      request.socket.resetAndDestroy();
      return;
    case "hang":
      return;
    case "slow":
      setTimeout(() => {
        serve(request, response);
      }, SLOW_MS);
      return;
    case "cut":
      response.writeHead(200, { "content-type": "text/plain", "content-length": "1000" });
      response.write("half of", () => {
        request.socket.destroy();
      });
      return;
  }
}

async function control(
  request: IncomingMessage,
  response: ServerResponse,
  state: { mode: Mode | undefined; requests: number; broken: number },
): Promise<void> {
  const say = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(`${JSON.stringify(body)}\n`);
  };
  const action = request.url?.slice("/__control/".length) ?? "";
  const text = await readText(request);
  if (action === "break" && request.method === "POST") {
    const mode = modeOf(text);
    if (mode === undefined) {
      say(400, { error: `mode must be one of ${MODES.join(", ")}` });
      return;
    }
    state.mode = mode;
    say(200, { broken: mode });
  } else if (action === "mend" && request.method === "POST") {
    state.mode = undefined;
    say(200, { mended: true });
  } else if (action === "stats")
    say(200, { mode: state.mode ?? "healthy", requests: state.requests, broken: state.broken });
  else say(404, { error: "POST /__control/break, POST /__control/mend or GET /__control/stats" });
}

function modeOf(text: string): Mode | undefined {
  if (text.trim() === "") return "503";
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("mode" in value)) return "503";
    return MODES.find((mode) => mode === String(value.mode));
  } catch {
    return undefined;
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_CONTROL_BYTES) break;
  }
  return text;
}
