import type { VNode } from "preact";
import type { IncidentView, ObjectivesReply } from "../../src/admin/contract.ts";
import { duration } from "../model/format.ts";
import { hrefOf } from "../state/place.ts";
import { Badge, Empty, Table, Time } from "./small.tsx";

/** Outages by the breakers' history, and what they took on the mean. */
export function Incidents({ incidents, means }: Pick<ObjectivesReply, "incidents" | "means">): VNode {
  if (incidents.length === 0) return <Empty>No breaker has opened.</Empty>;
  return (
    <>
      {means.length > 0 && (
        <p class="small">
          {means
            .map(
              ({ origin, mttdMs, mttrMs }) =>
                `${origin}: detected after ${orDash(mttdMs)} (MTTD), over after ${orDash(mttrMs)} (MTTR)`,
            )
            .join("; ")}
        </p>
      )}
      <Table
        label="Outages"
        columns={[
          "Began",
          "Origin",
          "Where",
          { number: "Detected after" },
          { number: "Told after" },
          { number: "Over after" },
          "Reason",
        ]}
      >
        {incidents.map((incident) => (
          <Row key={`${incident.origin} ${incident.pop} ${incident.beganAtMs}`} incident={incident} />
        ))}
      </Table>
    </>
  );
}

function Row({ incident }: { readonly incident: IncidentView }): VNode {
  const { origin, pop, beganAtMs, detectedAtMs, toldAtMs, recoveredAtMs, reason, byHand } = incident;
  return (
    <tr>
      <th scope="row">
        <Time ms={beganAtMs} />
      </th>
      <td>
        <a href={hrefOf("breakers", origin)}>{origin}</a>
      </td>
      <td>{pop ?? "everywhere"}</td>
      <td class="number">{byHand ? "–" : duration(detectedAtMs - beganAtMs)}</td>
      <td class="number">{toldAtMs === null ? "–" : duration(toldAtMs - beganAtMs)}</td>
      <td class="number">
        {recoveredAtMs === null ? <Badge tone="bad">it lasts</Badge> : duration(recoveredAtMs - beganAtMs)}
      </td>
      <td class="words">
        {reason}
        {byHand && <span class="quiet"> (by hand)</span>}
      </td>
    </tr>
  );
}

const orDash = (ms: number | null): string => (ms === null ? "–" : duration(ms));
