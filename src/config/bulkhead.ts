/** An origin's bulkheads as limits of slots. */
import type { LimitConfig, OriginConfig } from "./model.ts";
import { slotLimit } from "./slot-limit.ts";
import type { CompiledBulkhead } from "./tables.ts";

const NAME = "calls";

export function compileBulkhead(config: OriginConfig): CompiledBulkhead | undefined {
  const { id, concurrency, concurrencyPerTenant } = config;
  if (concurrency === undefined && concurrencyPerTenant === undefined) return undefined;
  let known: { readonly slots: number; readonly limits: readonly LimitConfig[] } | undefined;
  return {
    slots: concurrency?.max,
    perTenant: concurrencyPerTenant === undefined ? [] : [slotLimit(`origin:${id}`, concurrencyPerTenant)],
    limits: (slots) => {
      if (known?.slots !== slots) known = { slots, limits: [slotLimit(NAME, slots)] };
      return known.limits;
    },
  };
}
