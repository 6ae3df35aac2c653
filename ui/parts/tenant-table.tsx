import type { VNode } from "preact";
import { count, percent } from "../model/format.ts";
import { OTHER, type TenantTraffic } from "../model/traffic.ts";
import { hrefOf } from "../state/place.ts";
import { Bar, Table } from "./small.tsx";

/** Who asked, and how much of it was throttled. */
export function TenantTable({
  label,
  tenants,
}: {
  readonly label: string;
  readonly tenants: readonly TenantTraffic[];
}): VNode {
  return (
    <Table
      label={label}
      columns={["Tenant", { number: "Throttled" }, "Share", { number: "Admitted" }, { number: "In shadow" }]}
    >
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
    </Table>
  );
}
