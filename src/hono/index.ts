/** Weir as Hono middleware: just the limits, just an origin's breaker, or the whole gateway. */
export {
  ConfigError,
  type ConfigSource,
  defineConfig,
  type DefineOptions,
  type LibraryConfig,
} from "../config/define.ts";
export {
  breaker,
  type BreakerBindings,
  type BreakerOptions,
  type BreakerVariables,
  type OriginCallInit,
  type WeirOriginCalls,
} from "./breaker.ts";
export { gateway, type GatewayBindings, type GatewayOptions } from "./gateway.ts";
export {
  type LimitLeft,
  limits,
  type LimitsBindings,
  type LimitsOptions,
  type LimitsVariables,
  type NamedTenant,
  type WeirAdmission,
} from "./limits.ts";
