/** The breaker board: one card for each origin, or one origin with its history. */
import type { VNode } from "preact";
import type { BreakerStatus, BreakerView, StatusReply } from "../../src/admin/contract.ts";
import { pathOf } from "../api.ts";
import { count, duration } from "../model/format.ts";
import { currentOf, OPENS_AT } from "../parts/breaker-glance.tsx";
import { Hands } from "../parts/hands.tsx";
import { Bar, BreakerBadge, Empty, PageHead, Panel, Reading, Table, Time } from "../parts/small.tsx";
import { latest } from "../state/live.ts";
import { hrefOf } from "../state/place.ts";
import { useQuery } from "../state/query.ts";

export const Breakers = ({ of }: { readonly of: string | undefined }): VNode =>
  of === undefined ? <Board /> : <One key={of} origin={of} />;

function Board(): VNode {
  const status = useQuery<StatusReply>("/status", 3_000);
  return (
    <>
      <PageHead title="Breakers" />
      <Reading of={status}>
        {({ origins }) =>
          origins.length === 0 ? (
            <Empty>The config has no origins.</Empty>
          ) : (
            <div class="cards">
              {origins.map((origin) => (
                <Card key={origin.origin} origin={origin} refresh={status.refresh} />
              ))}
            </div>
          )
        }
      </Reading>
    </>
  );
}

function Card({ origin, refresh }: { readonly origin: BreakerStatus; readonly refresh: () => void }): VNode {
  const { state, score, forced } = currentOf(origin);
  const { lastTransition } = origin;
  return (
    <Panel title={origin.origin} actions={<a href={hrefOf("breakers", origin.origin)}>History</a>}>
      <div class={`breaker ${state}`}>
        <BreakerBadge state={state} forced={forced} />
        <Score score={score} />
        <p class="small quiet">
          {lastTransition === null ? (
            "It has never opened."
          ) : (
            <>
              {lastTransition.from} to {lastTransition.to} at <Time ms={lastTransition.atMs} />: {lastTransition.reason}
            </>
          )}
        </p>
        {origin.forced !== null && (
          <p class="small">
            Held {origin.forced.state} until <Time ms={origin.forced.untilMs} />: {origin.forced.reason}
          </p>
        )}
      </div>
      <Hands origin={origin.origin} refresh={refresh} />
    </Panel>
  );
}

const Score = ({ score }: { readonly score: number }): VNode => (
  <Bar
    ratio={score / OPENS_AT}
    label={`evidence ${score.toFixed(0)} of ${OPENS_AT}`}
    tone={score >= OPENS_AT / 2 ? "bad" : score > 0 ? "warn" : "ok"}
  />
);

function One({ origin }: { readonly origin: string }): VNode {
  const breaker = useQuery<BreakerView>(pathOf`/breakers/${origin}`, 3_000);
  return (
    <>
      <PageHead title={<>Breaker of {origin}</>}>
        <a href={hrefOf("breakers")}>All breakers</a>
      </PageHead>
      <Reading of={breaker}>
        {(view) => (
          <>
            <Panel title="Now" actions={<Hands origin={origin} refresh={breaker.refresh} />}>
              <Facts view={view} />
            </Panel>
            <Panel title="History">
              <History view={view} />
            </Panel>
          </>
        )}
      </Reading>
    </>
  );
}

function Facts({ view }: { readonly view: BreakerView }): VNode {
  const live = latest.value?.breakers.find(({ origin }) => origin === view.origin);
  const { state, score } = live ?? view;
  const counts = Object.entries(view.counts);
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        <BreakerBadge state={state} forced={live?.forced ?? view.forced !== null} />
      </dd>
      <dt>Evidence</dt>
      <dd>
        <Score score={score} />
      </dd>
      {view.forced !== null && (
        <>
          <dt>By hand</dt>
          <dd>
            {view.forced.state} until <Time ms={view.forced.untilMs} />, by {view.forced.by}: {view.forced.reason}
          </dd>
        </>
      )}
      <dt>PoPs heard of</dt>
      <dd>{view.pops}</dd>
      <dt>Probes out</dt>
      <dd>{view.outstandingProbes}</dd>
      <dt>Calls under way</dt>
      <dd>
        {count(view.underWay)}
        {view.slots !== null && ` of ${count(view.slots)}`}
      </dd>
      <dt>A call is late after</dt>
      <dd>{view.earlyAgeMs === null ? "not known yet" : duration(view.earlyAgeMs)}</dd>
      <dt>Calls since it woke</dt>
      <dd>{counts.length === 0 ? "none" : counts.map(([kind, value]) => `${kind} ${count(value)}`).join(", ")}</dd>
    </dl>
  );
}

function History({ view }: { readonly view: BreakerView }): VNode {
  if (view.history.length === 0) return <Empty>It has never opened.</Empty>;
  return (
    <Table label={`History of the breaker of ${view.origin}`} columns={["When", "Transition", "Reason", { number: "Evidence" }, "PoPs that saw it", "By"]}>
          {view.history.toReversed().map(({ atMs, from, to, reason, score, pops, epoch, by }) => (
            <tr key={`${epoch} ${atMs} ${to}`}>
              <th scope="row">
                <Time ms={atMs} />
              </th>
              <td>
                {from} to <BreakerBadge state={to} forced={false} />
              </td>
              <td class="words">{reason}</td>
              <td class="number">{score.toFixed(0)}</td>
              <td class="words">{pops.join(", ") || "–"}</td>
              <td class="words">{by ?? "itself"}</td>
            </tr>
          ))}
        </Table>
  );
}
