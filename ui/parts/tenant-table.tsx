import type { VNode } from "preact";
import { count, percent } from "../model/format.ts";
import { OTHER, type TenantTraffic } from "../model/traffic.ts";
import { hrefOf } from "../state/place.ts";
import { Bar, Scroll } from "./small.tsx";

/** Who asked, and how much of it was throttled. */
export function TenantTable({
  label,
  tenants,
}: {
  readonly label: string;
  readonly tenants: readonly TenantTraffic[];
}): VNode {
  return (
    <Scroll label={label}>
      <table>
        <thead>
          <tr>
            <th scope="col">Tenant</th>
            <th scope="col" class="number">
              Throttled
            </th>
            <th scope="col">Share</th>
            <th scope="col" class="number">
              Admitted
            </th>
            <th scope="col" class="number">
              In shadow
            </th>
          </tr>
        </thead>
        <tbody>
          {tenants.map(({ tenant, throttled, admitted, shadowed }) => {
            const ratio = throttled / Math.max(1, throttled + admitted);
            return (
              <tr key={tenant}>
                <th scope="row">
                  {tenant === OTHER ? <i>all others</i> : <a href={hrefOf("tenants", tenant)}>{tenant}</a>}
                </th>
                <td class="number">{count(throttled)}</td>
                <td>
                  <Bar ratio={ratio} label={percent(ratio, 0)} tone={ratio > 0.5 ? "bad" : ratio > 0 ? "warn" : "ok"} />
                </td>
                <td class="number">{count(admitted)}</td>
                <td class="number">{count(shadowed)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}
