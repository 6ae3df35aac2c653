/** The Worker's face: the entry point and the Durable Objects it exports. No logic. */
export { Metrics } from "./coordinators/metrics/object.ts";
export { Origin } from "./coordinators/origin/object.ts";
export { Tenant } from "./coordinators/tenant/object.ts";

export default {
  fetch(): Response {
    return new Response("not yet", { status: 503 });
  },
};
