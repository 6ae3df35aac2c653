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
