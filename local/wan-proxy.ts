/**
 * A Worker between edges and coordinators that takes its time: half the round trip before the call, half after it. It
 * is a service of its own, because a sleep inside an object or many sleeps inside one request would not overlap.
 */
export const WAN_PROXY_SCRIPT = `
import { WorkerEntrypoint } from "cloudflare:workers";
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export default class Wan extends WorkerEntrypoint {
  async call(kind, objectName, method, argument) {
    await sleep(this.env.WAN_MS / 2);
    try {
      const namespace = this.env[kind];
      return await namespace.get(namespace.idFromName(objectName))[method](argument);
    } finally {
      await sleep(this.env.WAN_MS / 2);
    }
  }
}
`;

/** In the place of an origin's coordinator that cannot be reached: whoever calls it waits until his own deadline. */
export const SILENT_COORDINATOR_SCRIPT = `
import { DurableObject } from "cloudflare:workers";
const away = async () => {
  await new Promise((resolve) => setTimeout(resolve, 30_000));
  throw new Error("away");
};
export class Silent extends DurableObject {
  report() { return away(); }
  probe() { return away(); }
  probeResult() { return away(); }
  snapshot() { return away(); }
  retireSnapshot() { return away(); }
  hasSnapshot() { return away(); }
  status() { return away(); }
}
export default { fetch: () => new Response(null, { status: 404 }) };
`;
