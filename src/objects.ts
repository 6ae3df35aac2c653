/** The Durable Objects of a gateway: what a Worker exports that uses any part of Weir. */
export { Control } from "./coordinators/control/object.ts";
export { Metrics } from "./coordinators/metrics/object.ts";
export { Monitor } from "./coordinators/monitor/object.ts";
export { Origin } from "./coordinators/origin/object.ts";
export { Tenant } from "./coordinators/tenant/object.ts";
export { TenantIndex } from "./coordinators/tenant-index/object.ts";
