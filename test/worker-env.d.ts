import type { Control } from "../src/coordinators/control/object.ts";
import type { Metrics } from "../src/coordinators/metrics/object.ts";
import type { Monitor } from "../src/coordinators/monitor/object.ts";
import type { Origin } from "../src/coordinators/origin/object.ts";
import type { Tenant } from "../src/coordinators/tenant/object.ts";
import type { TenantIndex } from "../src/coordinators/tenant-index/object.ts";
import type { Env as WeirEnv } from "../src/platform/bindings.ts";

declare global {
  namespace Cloudflare {
    interface Env extends Omit<WeirEnv, "TENANT" | "ORIGIN" | "METRICS" | "CONTROL" | "TENANT_INDEX" | "MONITOR"> {
      readonly TENANT: DurableObjectNamespace<Tenant>;
      readonly ORIGIN: DurableObjectNamespace<Origin>;
      readonly METRICS: DurableObjectNamespace<Metrics>;
      readonly CONTROL: DurableObjectNamespace<Control>;
      readonly TENANT_INDEX: DurableObjectNamespace<TenantIndex>;
      readonly MONITOR: DurableObjectNamespace<Monitor>;
      readonly TEST_SEED: string;
      readonly TEST_DRILL: string;
    }
  }
}
