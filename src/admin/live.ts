/** What happens now, over a WebSocket that the Monitor object holds. Who may read may watch; see `protocol/monitor.ts`. */
import * as z from "zod";
import { LIVE_PROTOCOL, MONITOR_OBJECT } from "../protocol/monitor.ts";
import { operation } from "./operation.ts";
import { problem } from "./reply.ts";

const watchLive = operation(
  {
    id: "watchLive",
    method: "GET",
    path: "/live",
    tag: "Monitoring",
    summary: "Watch what happens, over a WebSocket",
    description: `Subprotocol \`${LIVE_PROTOCOL}\`. About once a second while something happens, else every five seconds, it says in JSON what was counted since, how the breakers are, and how many alerts fire. It is closed with 4000 every five minutes: open it again.`,
    result: z.null(),
    status: 101,
    refusals: { 426: "It is no WebSocket.", 503: "So many watch already." },
  },
  async ({ env, webSocket: offered }) => {
    if (offered === undefined) return problem(426, "This is a WebSocket: ask for an upgrade");
    if (!offered.includes(LIVE_PROTOCOL)) return problem(400, `The subprotocol ${LIVE_PROTOCOL} must be offered`);
    const { MONITOR: monitors } = env;
    if (monitors === undefined) return problem(503, "Nothing is recorded here: the binding MONITOR is missing");
    const stub = monitors.get(monitors.idFromName(MONITOR_OBJECT));
    // Nothing of the request goes on: who it is has been seen to.
    const { webSocket } = await stub.fetch("https://monitor.invalid/", { headers: { upgrade: "websocket" } });
    if (webSocket === null) return problem(503, "So many watch already: try again when one of them has stopped");
    return new Response(null, { status: 101, webSocket, headers: { "sec-websocket-protocol": LIVE_PROTOCOL } });
  },
);

export const liveOperations = [watchLive];
