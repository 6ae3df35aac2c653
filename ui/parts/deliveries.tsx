import type { VNode } from "preact";
import type { DeliveryView } from "../../src/admin/contract.ts";
import { call, pathOf } from "../api.ts";
import { may } from "../state/session.ts";
import { Action } from "./action.tsx";
import { ACTIONS, Badge, Empty, Table, Time, type Tone } from "./small.tsx";

const TONES = { waiting: "warn", delivered: "ok", dead: "bad" } as const satisfies Record<string, Tone>;

/** What was told to whom, and how the last try went. */
export function Deliveries({
  deliveries,
  refresh,
}: {
  readonly deliveries: readonly DeliveryView[];
  readonly refresh: () => void;
}): VNode {
  if (deliveries.length === 0)
    return <Empty>Nothing was sent: the config names no receiver, or no alert has fired.</Empty>;
  return (
    <Table
      label="Deliveries"
      columns={["Made", "Receiver", "State", { number: "Tries" }, "Last result", "Next try", "Id", ACTIONS]}
    >
      {deliveries.map(({ id, receiver, state, attempts, createdAtMs, nextAttemptAtMs, lastResult }) => (
        <tr key={id}>
          <th scope="row">
            <Time ms={createdAtMs} />
          </th>
          <td>{receiver}</td>
          <td>
            <Badge tone={TONES[state]}>{state}</Badge>
          </td>
          <td class="number">{attempts}</td>
          <td class="words">{lastResult ?? "–"}</td>
          <td>
            <Time ms={nextAttemptAtMs} />
          </td>
          <td>
            <code>{id}</code>
          </td>
          <td class="row-actions">
            {may("operator") && state === "dead" && (
              <Action
                label="Try again…"
                title="Try the delivery again"
                confirm="Try again"
                act={() => call("POST", pathOf`/deliveries/${id}/retry`, { body: {} })}
                done="It is tried again."
                after={refresh}
              >
                <p>It goes to {receiver} under the same id.</p>
              </Action>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}
