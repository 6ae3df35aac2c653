/** A WebSocket to the Monitor object, opened through the admin API as a dashboard does. */
import { env } from "cloudflare:workers";
import { createExecutionContext } from "cloudflare:test";
import { LIVE_PROTOCOL, type LiveTick } from "../../src/protocol/monitor.ts";
import { API, type AdminSite, TOKEN } from "./admin-site.ts";

export class Watcher {
  readonly ticks: LiveTick[] = [];
  readonly texts: string[] = [];
  closedWith: number | undefined;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const text = String(data);
      if (text.startsWith("{")) this.ticks.push(JSON.parse(text) as LiveTick);
      else this.texts.push(text);
    });
    socket.addEventListener("close", ({ code }) => {
      this.closedWith = code;
      socket.close();
    });
    socket.accept();
  }

  say(text: string): void {
    this.#socket.send(text);
  }

  close(): void {
    this.#socket.close(1_000);
  }
}

export const OFFER = { upgrade: "websocket", "sec-websocket-protocol": LIVE_PROTOCOL } as const;

/** As it was answered: 101 with a socket, or a refusal. */
export function askToWatch(site: AdminSite, headers: Record<string, string> = {}): Promise<Response> {
  const request = new Request(`https://gateway.example${API}/live`, {
    headers: { authorization: `Bearer ${TOKEN}`, ...OFFER, ...headers },
  });
  return site.admin.handle(request, env, createExecutionContext());
}

export async function watch(site: AdminSite, headers: Record<string, string> = {}): Promise<Watcher> {
  const { webSocket, status } = await askToWatch(site, headers);
  if (webSocket === null) throw new Error(`no socket was opened: ${status}`);
  return new Watcher(webSocket);
}
