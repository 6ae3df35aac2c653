/** A WebSocket to the Monitor object, opened through the admin API as a dashboard does. */
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

const OFFER = { upgrade: "websocket", "sec-websocket-protocol": LIVE_PROTOCOL } as const;

/** As it was answered: 101 with a socket, or a refusal. */
export function askToWatch(
  site: AdminSite,
  headers: Record<string, string> = {},
  /** Null: none. */
  token: string | null = TOKEN,
): Promise<Response> {
  const request = new Request(`https://gateway.example${API}/live`, {
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...OFFER, ...headers },
  });
  return site.admin.handle(request, site.bindings, createExecutionContext());
}

export async function watch(site: AdminSite, token = TOKEN): Promise<Watcher> {
  const { webSocket, status } = await askToWatch(site, {}, token);
  if (webSocket === null) throw new Error(`no socket was opened: ${status}`);
  return new Watcher(webSocket);
}
