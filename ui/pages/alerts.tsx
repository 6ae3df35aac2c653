/** Objectives, outages, alerts, silences and what was delivered of them. */
import type { VNode } from "preact";
import type { AlertsReply, AlertView, ObjectivesReply, ObjectiveView, SilenceView } from "../../src/admin/contract.ts";
import { call, pathOf } from "../api.ts";
import { count, duration, percent, rate } from "../model/format.ts";
import { Action, numberOf, ReasonField, SpanField, textOf } from "../parts/action.tsx";
import { leftInWords, subjectOf } from "../parts/budgets.tsx";
import { Deliveries } from "../parts/deliveries.tsx";
import { Incidents } from "../parts/incidents.tsx";
import { ACTIONS, Badge, Bar, Empty, PageHead, Panel, Reading, Table, Time, type Tone } from "../parts/small.tsx";
import { useQuery } from "../state/query.ts";
import { may } from "../state/session.ts";

export function Alerts(): VNode {
  const alerts = useQuery<AlertsReply>("/alerts", 3_000);
  const objectives = useQuery<ObjectivesReply>("/objectives", 15_000);
  return (
    <>
      <PageHead title="SLOs & alerts" />
      <Panel title="Alerts">
        <Reading of={alerts}>{(value) => <AlertTable alerts={value.alerts} refresh={alerts.refresh} />}</Reading>
      </Panel>
      <Panel title="Objectives">
        <Reading of={objectives}>{(value) => <Objectives objectives={value.objectives} />}</Reading>
      </Panel>
      <Panel title="Outages">
        <Reading of={objectives}>{(value) => <Incidents incidents={value.incidents} means={value.means} />}</Reading>
      </Panel>
      <Panel title="Silences">
        <Reading of={alerts}>{(value) => <Silences silences={value.silences} refresh={alerts.refresh} />}</Reading>
      </Panel>
      <Panel title="Deliveries">
        <Reading of={alerts}>{(value) => <Deliveries deliveries={value.deliveries} refresh={alerts.refresh} />}</Reading>
      </Panel>
    </>
  );
}

const SEVERITY_TONES = { page: "bad", ticket: "warn", info: "info" } as const satisfies Record<string, Tone>;
const STATE_TONES = { firing: "bad", pending: "warn", resolved: "ok" } as const satisfies Record<string, Tone>;
const QUIET = { silence: "silenced", inhibition: "a graver one is" } as const;
const SEVERITY_RANK = { page: 0, ticket: 1, info: 2 } as const;
const STATE_RANK = { firing: 0, pending: 1, resolved: 2 } as const;

const inWords = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

function AlertTable({ alerts, refresh }: Pick<AlertsReply, "alerts"> & { readonly refresh: () => void }): VNode {
  if (alerts.length === 0) return <Empty>No alert fires.</Empty>;
  const sorted = alerts.toSorted((a, b) => STATE_RANK[a.state] - STATE_RANK[b.state] || SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity] || b.sinceMs - a.sinceMs);
  return (
    <Table label="Alerts" columns={["State", "Severity", "What", "Since", "Told", ACTIONS]}>
          {sorted.map((alert) => (
            <tr key={alert.fingerprint}>
              <td>
                <Badge tone={STATE_TONES[alert.state]}>{alert.state}</Badge>
              </td>
              <td>
                <Badge tone={SEVERITY_TONES[alert.severity]}>{alert.severity}</Badge>
              </td>
              <th scope="row" class="words">
                {alert.summary} <span class="quiet small">{inWords({ kind: alert.kind, ...alert.labels })}</span>
              </th>
              <td>
                <Time ms={alert.sinceMs} />
                {alert.resolvedAtMs !== null && (
                  <>
                    {" "}
                    to <Time ms={alert.resolvedAtMs} />
                  </>
                )}
              </td>
              <td class="words">{alert.quiet === null ? "yes" : `no: ${QUIET[alert.quiet.by]}`}</td>
              <td class="row-actions">
                {may("operator") && alert.state !== "resolved" && <Silence alert={alert} after={refresh} />}
              </td>
            </tr>
          ))}
        </Table>
  );
}

/** One label at least: nothing silences everything. */
function Silence({ alert, after }: { readonly alert: AlertView; readonly after: () => void }): VNode {
  const match = { kind: alert.kind, ...alert.labels };
  return (
    <Action
      label="Silence…"
      title="Silence"
      confirm="Silence"
      act={(fields) =>
        call("POST", "/silences", {
          body: { match, forMs: numberOf(fields, "forMs"), reason: textOf(fields, "reason") },
        })
      }
      done="It is silenced."
      after={after}
    >
      <p>
        Nothing is told of alerts with {inWords(match)}. They are shown here all the same.
      </p>
      <SpanField ms={14_400_000} />
      <ReasonField />
    </Action>
  );
}

function Silences({
  silences,
  refresh,
}: {
  readonly silences: readonly SilenceView[];
  readonly refresh: () => void;
}): VNode {
  if (silences.length === 0) return <Empty>Nothing is silenced.</Empty>;
  return (
    <Table label="Silences" columns={["Alerts with", "Until", "Reason", "By", ACTIONS]}>
          {silences.map(({ id, match, untilMs, reason, by }) => (
            <tr key={id}>
              <th scope="row" class="words">
                {inWords(match)}
              </th>
              <td>
                <Time ms={untilMs} />
              </td>
              <td class="words">{reason}</td>
              <td class="words">{by}</td>
              <td class="row-actions">
                {may("operator") && (
                  <Action
                    label="End…"
                    title="End the silence"
                    confirm="End silence"
                    act={() => call("DELETE", pathOf`/silences/${id}`)}
                    done="The silence has ended."
                    after={refresh}
                  >
                    <p>Alerts with {inWords(match)} are told again.</p>
                  </Action>
                )}
              </td>
            </tr>
          ))}
        </Table>
  );
}

function Objectives({ objectives }: { readonly objectives: readonly ObjectiveView[] }): VNode {
  if (objectives.length === 0) return <Empty>No objectives are known: the config has none, or no traffic has told of them yet.</Empty>;
  return (
    <Table label="Objectives" columns={["Objective", { number: "Target" }, "Budget left", { number: "Bad of all" }, "Burn rates: long, short, and from which on it is told"]}>
          {objectives.map((objective) => (
            <ObjectiveRow key={objective.id} objective={objective} />
          ))}
        </Table>
  );
}

function ObjectiveRow({ objective }: { readonly objective: ObjectiveView }): VNode {
  const { id, targetRatio, windowMs, budgetLeftRatio, total, bad, burn, recordedSinceMs } = objective;
  const tone = budgetLeftRatio < 0.1 ? "bad" : budgetLeftRatio < 0.5 ? "warn" : "ok";
  return (
    <tr>
      <th scope="row">
        {id} <div class="quiet small">{subjectOf(objective)}</div>
      </th>
      <td class="number">
        {percent(targetRatio, 3)}
        <div class="quiet small">in {duration(windowMs)}</div>
      </td>
      <td>
        <Bar ratio={budgetLeftRatio} label={leftInWords(objective)} tone={tone} />
        {recordedSinceMs > Date.now() - windowMs && (
          <span class="quiet small">
            recorded since <Time ms={recordedSinceMs} />
          </span>
        )}
      </td>
      <td class="number">
        {count(bad)} of {count(total)}
      </td>
      <td class="words">
        <div class="burns">
          {burn.map(({ longMs, shortMs, factor, severity, longBurnRate, shortBurnRate, burning, guarded }) => (
            <Badge key={longMs} tone={burning ? SEVERITY_TONES[severity] : guarded ? "none" : "ok"}>
              {duration(longMs)} {rate(longBurnRate)}×, {duration(shortMs)} {rate(shortBurnRate)}×, {severity} at {factor}×
              {guarded ? " (too little traffic)" : ""}
              {burning ? ": burning" : ""}
            </Badge>
          ))}
        </div>
      </td>
    </tr>
  );
}
