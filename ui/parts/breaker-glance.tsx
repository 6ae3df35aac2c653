import type { VNode } from "preact";
import type { BreakerStatus } from "../../src/admin/contract.ts";
import { latest } from "../state/live.ts";
import { hrefOf } from "../state/place.ts";
import { Bar, BreakerBadge, Empty } from "./small.tsx";

/** The evidence at which a breaker opens. */
export const OPENS_AT = 20;

/** As told live where that is newer, else as read. */
export function currentOf(
  origin: BreakerStatus,
): Pick<BreakerStatus, "state" | "score"> & { readonly forced: boolean } {
  const live = latest.value?.breakers.find((breaker) => breaker.origin === origin.origin);
  return live ?? { state: origin.state, score: origin.score, forced: origin.forced !== null };
}

export function BreakerGlance({ origins }: { readonly origins: readonly BreakerStatus[] }): VNode {
  if (origins.length === 0) return <Empty>The config has no origins.</Empty>;
  return (
    <ul class="glance">
      {origins.map((origin) => {
        const { state, score, forced } = currentOf(origin);
        return (
          <li key={origin.origin}>
            <a href={hrefOf("breakers", origin.origin)}>{origin.origin}</a>
            <BreakerBadge state={state} forced={forced} />
            <Bar
              ratio={score / OPENS_AT}
              label={`${score.toFixed(0)} of ${OPENS_AT}`}
              tone={score >= OPENS_AT / 2 ? "bad" : score > 0 ? "warn" : "ok"}
            />
          </li>
        );
      })}
    </ul>
  );
}
