/** Origins and routes that are out of service by hand: who set it and until when; set and ended here. */
import type { VNode } from "preact";
import type { MaintenanceList, MaintenanceView, PagesReply } from "../../src/admin/contract.ts";
import { call, pathOf } from "../api.ts";
import { useQuery } from "../state/query.ts";
import { may } from "../state/session.ts";
import { Action, numberOf, ReasonField, SelectField, SpanField, textOf } from "./action.tsx";
import { ACTIONS, Badge, Empty, Panel, Reading, Table, Time } from "./small.tsx";

export function MaintenancePanel({ pages }: { readonly pages: PagesReply | undefined }): VNode {
  const list = useQuery<MaintenanceList>("/maintenance", 10_000);
  const begin = may("operator") && pages !== undefined && <Begin pages={pages} after={list.refresh} />;
  return (
    <Panel title="Maintenance" actions={begin}>
      <Reading of={list}>
        {({ maintenance, unreachable }) => (
          <>
            {unreachable.length > 0 && (
              <p class="note small">Not known of {unreachable.join(", ")}: their coordinators do not answer.</p>
            )}
            {maintenance.length === 0 ? (
              <Empty>Nothing is out of service by hand.</Empty>
            ) : (
              <Table label="Maintenance" columns={["What", "State", "From", "Until", "Reason", "By", ACTIONS]}>
                {maintenance.map((one) => (
                  <Row key={`${one.scope} ${one.id}`} one={one} after={list.refresh} />
                ))}
              </Table>
            )}
          </>
        )}
      </Reading>
    </Panel>
  );
}

function Row({ one, after }: { readonly one: MaintenanceView; readonly after: () => void }): VNode {
  const { scope, id, state, startsAtMs, endsAtMs, reason, by } = one;
  return (
    <tr>
      <th scope="row">
        {scope} {id}
      </th>
      <td>
        <Badge tone={state === "in-force" ? "warn" : "info"}>{state === "in-force" ? "in force" : "to come"}</Badge>
      </td>
      <td>
        <Time ms={startsAtMs} />
      </td>
      <td>
        <Time ms={endsAtMs} />
      </td>
      <td class="words">{reason}</td>
      <td class="words">{by}</td>
      <td class="row-actions">
        {may("operator") && (
          <Action
            label="End…"
            title={`End the maintenance of ${id}`}
            confirm="End maintenance"
            act={() => call("DELETE", pathOf`/maintenance/${`${scope}s`}/${id}`)}
            done={`The maintenance of ${id} has ended.`}
            after={after}
          >
            <p>Requests reach the origin again within seconds.</p>
          </Action>
        )}
      </td>
    </tr>
  );
}

function Begin({ pages, after }: { readonly pages: PagesReply; readonly after: () => void }): VNode {
  const origins = [...new Set(pages.routes.map(({ origin }) => origin))];
  const options = [
    ...origins.map((origin): [string, string] => [`origins/${origin}`, `origin ${origin}`]),
    ...pages.routes.map(({ route }): [string, string] => [`routes/${route}`, `route ${route}`]),
  ];
  return (
    <Action
      label="Take out of service…"
      title="Take out of service"
      confirm="Begin maintenance"
      danger
      act={(fields) => {
        const [scope = "", id = ""] = textOf(fields, "what").split("/");
        const body = { forMs: numberOf(fields, "forMs"), reason: textOf(fields, "reason") };
        return call("PUT", pathOf`/maintenance/${scope}/${id}`, { body });
      }}
      done="Maintenance has begun."
      after={after}
    >
      <p>Nothing is sent to the origin; callers get what is stored, else the maintenance page. It ends by itself.</p>
      <SelectField name="what" label="What" options={options} />
      <SpanField ms={1_800_000} />
      <ReasonField />
    </Action>
  );
}
