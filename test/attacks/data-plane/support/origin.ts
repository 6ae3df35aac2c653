/** An origin that does what the query asks for, tells in its body what reached it, and tells the test on a side path. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createGzip } from "node:zlib";

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Of the request's body. */
  readonly bytes: number;
  /** Which answer of this origin it is. */
  readonly serial: number;
}

/** Where the test asks what came: nothing else goes there. */
export const ARRIVALS = "/__arrivals";
const ZEROS = Buffer.alloc(65_536);

export async function startOrigin(): Promise<{ readonly server: Server; readonly url: string }> {
  const arrivals: Seen[] = [];
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const url = request.url ?? "/";
    if (url.startsWith(ARRIVALS)) {
      const prefix = new URL(url, "http://o").searchParams.get("of") ?? "";
      response.end(JSON.stringify(arrivals.filter((arrival) => arrival.url.includes(prefix))));
      return;
    }
    let bytes = 0;
    const arrive = (): void => {
      const seen = { method: request.method ?? "", url, headers: request.headers, bytes, serial: arrivals.length };
      arrivals.push(seen);
      answer(seen, request, response);
    };
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    // An upload that never ends is answered by nobody.
    request.on("end", arrive);
    request.on("error", () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** `?cc=…&status=…`: fields by their short names; `zeros=N`: N megabytes of them, compressed; `cut`, `hang`, `sse`. */
const FIELDS: Readonly<Record<string, string>> = {
  cc: "cache-control",
  vary: "vary",
  etag: "etag",
  cookie: "set-cookie",
  cost: "x-cost",
  location: "location",
};

function answer(seen: Seen, request: IncomingMessage, response: ServerResponse): void {
  const asked = new URL(seen.url, "http://o").searchParams;
  for (const [short, name] of Object.entries(FIELDS)) {
    const value = asked.get(short);
    if (value !== null) response.setHeader(name, value);
  }
  response.statusCode = Number(asked.get("status") ?? 200);
  response.setHeader("content-type", asked.has("sse") ? "text/event-stream" : "application/json");
  const body = JSON.stringify(seen);
  if (asked.has("hang")) return;
  if (asked.has("cut")) {
    response.setHeader("content-length", String(body.length + 1_000));
    response.write(body, () => request.socket.destroy());
  } else if (asked.has("zeros")) sendZeros(response, Number(asked.get("zeros")));
  else if (asked.has("sse")) response.write("data: first\n\n");
  else response.end(request.method === "HEAD" ? undefined : body);
}

function sendZeros(response: ServerResponse, megabytes: number): void {
  response.setHeader("content-encoding", "gzip");
  const gzip = createGzip({ level: 1 });
  gzip.pipe(response);
  let left = (megabytes * 1_048_576) / ZEROS.length;
  const more = (): void => {
    while (left-- > 0) if (!gzip.write(ZEROS)) return void gzip.once("drain", more);
    gzip.end();
  };
  more();
}
