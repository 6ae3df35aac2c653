/**
 * Who watches live: WebSockets that outlive this object's memory (hibernation), and what they are told. A socket is closed
 * with REOPEN after MAX_AGE_MS, and opens again by itself: so a token that was revoked, or a session that has ended, is
 * told nothing from then on. Whoever opens one has been let in by the admin API before it is asked for here.
 *
 * Bounds: MAX_SOCKETS; MOST_ROUTES and MOST_TENANTS of a tick; what a socket says is answered (ping) or passed over. One
 * that does not read what it is told is kept in mind by the runtime until it is old: MAX_AGE_MS of ticks.
 */
import { bounded, type Tally } from "../../policy/recording/tally.ts";
import type { LiveTick } from "../../protocol/monitor.ts";
import { pointOf } from "./points.ts";

const MAX_SOCKETS = 50;
const MAX_AGE_MS = 300_000;
/** Of this application: open it again at once. */
const REOPEN = 4_000;
const MOST_ROUTES = 200;
const MOST_TENANTS = 50;

export class Live {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  get isWatched(): boolean {
    return this.#ctx.getWebSockets().length > 0;
  }

  /** A request that the admin API let in. */
  open(request: Request, nowMs: number): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return new Response(null, { status: 426 });
    if (this.#ctx.getWebSockets().length >= MAX_SOCKETS) return new Response(null, { status: 503 });
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    server.serializeAttachment(nowMs);
    return new Response(null, { status: 101, webSocket: client });
  }

  tell(tick: LiveTick): void {
    const text = JSON.stringify(tick);
    for (const socket of this.#ctx.getWebSockets()) {
      try {
        socket.send(text);
      } catch {
        // It is closing: the runtime takes it off the list.
      }
    }
  }

  /** Those that have been open for long enough, or for longer than any clock can say. */
  closeOld(nowMs: number): void {
    for (const socket of this.#ctx.getWebSockets()) {
      const ageMs = nowMs - Number(socket.deserializeAttachment());
      if (!(ageMs >= 0 && ageMs < MAX_AGE_MS)) socket.close(REOPEN, "open it again");
    }
  }
}

export function tickPoint(tally: Tally, fromMs: number, toMs: number): LiveTick["point"] {
  return pointOf(bounded(tally, MOST_ROUTES, MOST_TENANTS), fromMs, toMs, MOST_ROUTES, MOST_TENANTS);
}
