/** What attacks are made with: requests through a client, and bytes through a socket. */
import { connect } from "node:net";
import { inject } from "vitest";
import { type Outcome, type RequestHeaders, send } from "../../../support/traffic.ts";
import { ARRIVALS, type Seen } from "./origin.ts";

export const attacked = inject("attacked");

export const get = (path: string, headers: RequestHeaders = {}, method = "GET"): Promise<Outcome> =>
  send(undefined, attacked.url + path, { headers, method });

export const withKey = (key: string): RequestHeaders => ({ "x-api-key": key });

let number = 0;
/** Used by nobody before. */
export const unused = (route: string): string => `/${route}/${process.pid}-${Date.now()}-${number++}`;

/** What the origin saw of the request whose answer this is. */
export const seenIn = ({ body }: Pick<Outcome, "body">): Seen => JSON.parse(body) as Seen;

/** What reached the origin with this in its URL. */
export async function arrivals(of: string): Promise<readonly Seen[]> {
  const answer = await fetch(`${attacked.originUrl}${ARRIVALS}?of=${encodeURIComponent(of)}`);
  return (await answer.json()) as readonly Seen[];
}

export interface RawAnswer {
  readonly text: string;
  /** Of every answer on the connection, in order. */
  readonly statuses: readonly number[];
  readonly closed: boolean;
}

/** Sends these bytes and reads until the gateway closes, or says nothing more for a while. */
export function raw(
  bytes: string | Buffer,
  quietMs = 400,
  keepSending?: (write: (more: string) => void) => void,
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket = connect(attacked.port, "127.0.0.1");
    const chunks: Buffer[] = [];
    let quiet: NodeJS.Timeout | undefined;
    const end = (closed: boolean): void => {
      clearTimeout(quiet);
      socket.destroy();
      const text = Buffer.concat(chunks).toString("latin1");
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ text, statuses, closed });
    };
    const wait = (): void => {
      clearTimeout(quiet);
      quiet = setTimeout(end, quietMs, false);
    };
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      wait();
    });
    socket.on("error", () => {
      end(true);
    });
    socket.on("close", () => {
      end(true);
    });
    socket.write(bytes);
    keepSending?.((more) => {
      if (!socket.destroyed) socket.write(more);
    });
    wait();
  });
}

/** The lines of a request, with what HTTP/1.1 needs. */
export const request = (line: string, headers: readonly string[] = [], body = ""): string =>
  [`${line} HTTP/1.1`, `Host: 127.0.0.1:${attacked.port}`, "Connection: close", ...headers, "", body].join("\r\n");
