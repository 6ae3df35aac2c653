/** One tenant: what limits it and what is left, what became of its requests, its overrides and keys. */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type {
  KeyView,
  LimitList,
  LimitView,
  StatusReply,
  TenantStatus,
  TenantView,
} from "../../src/admin/contract.ts";
import { call, pathOf } from "../api.ts";
import { count, rate } from "../model/format.ts";
import { Action, ReasonField, textOf } from "../parts/action.tsx";
import { Chart } from "../parts/chart.tsx";
import { tenantLines } from "../parts/lines.ts";
import { EndOverride, Override } from "../parts/override.tsx";
import { type Range, RangeSwitch, Recorded, type Traffic } from "../parts/range.tsx";
import { ACTIONS, Badge, Bar, Empty, PageHead, Panel, Reading, Table, Time, type Tone } from "../parts/small.tsx";
import { hrefOf } from "../state/place.ts";
import { useQuery } from "../state/query.ts";
import { may, ownTenants } from "../state/session.ts";

export function Tenant({ tenant }: { readonly tenant: string }): VNode {
  const view = useQuery<TenantView>(pathOf`/tenants/${tenant}`, 15_000);
  const keys = useQuery<{ readonly keys: readonly KeyView[] }>(pathOf`/tenants/${tenant}/keys`, 30_000);
  return (
    <>
      <PageHead title={tenant}>
        {view.value !== undefined && <Standing view={view.value} refresh={view.refresh} />}
        <a href={hrefOf("tenants")}>All tenants</a>
      </PageHead>
      {ownTenants.value === undefined && <Requests tenant={tenant} />}
      <Limits tenant={tenant} />
      <Panel title="API keys">
        <Reading of={keys}>{(value) => <Keys keys={value.keys} />}</Reading>
      </Panel>
    </>
  );
}

function Standing({ view, refresh }: { readonly view: TenantView; readonly refresh: () => void }): VNode {
  const { tenant, plan, suspended, label } = view;
  return (
    <>
      <span class="quiet">
        plan {plan}
        {label !== "" && `, ${label}`}
      </span>
      {suspended === null ? <Badge tone="ok">served</Badge> : <Badge tone="bad">suspended: {suspended}</Badge>}
      {may("operator") && view.source === "api" && suspended === null && (
        <Action
          label="Suspend…"
          title={`Suspend ${tenant}`}
          confirm={`Suspend ${tenant}`}
          danger
          act={(fields) => call("POST", pathOf`/tenants/${tenant}/suspend`, { body: { reason: textOf(fields, "reason") } })}
          done={`${tenant} is suspended.`}
          after={refresh}
        >
          <p>All its requests are answered with 403 within seconds, until it is resumed.</p>
          <ReasonField />
        </Action>
      )}
      {may("operator") && suspended !== null && (
        <Action
          label="Resume…"
          title={`Resume ${tenant}`}
          confirm={`Resume ${tenant}`}
          act={() => call("POST", pathOf`/tenants/${tenant}/resume`, { body: {} })}
          done={`${tenant} is served again.`}
          after={refresh}
        >
          <p>It is served again within seconds.</p>
        </Action>
      )}
    </>
  );
}

function Requests({ tenant }: { readonly tenant: string }): VNode {
  const range = useSignal<Range>("live");
  const draw = ({ counted, drawn, spanMs }: Traffic): VNode => {
    const shadowed = counted.reduce((sum, point) => sum + (point.tenants[tenant]?.shadowed ?? 0), 0);
    return (
      <>
        <Chart
          name={`Requests of ${tenant}`}
          times={drawn.map(({ toMs }) => toMs)}
          spanMs={spanMs}
          lines={tenantLines(drawn, tenant)}
          stacked
          format={(value) => `${rate(value)}/s`}
          empty="Nothing is known of this time yet."
          height={170}
        />
        {shadowed > 0 && (
          <p class="small quiet">{count(shadowed)} of the admitted would have been throttled by a limit in shadow.</p>
        )}
      </>
    );
  };
  return (
    <Panel title="Requests" actions={<RangeSwitch range={range} />}>
      <Recorded range={range.value}>{draw}</Recorded>
    </Panel>
  );
}

type Left = NonNullable<TenantStatus["limits"]>[number];

function Limits({ tenant }: { readonly tenant: string }): VNode {
  const list = useQuery<LimitList>(pathOf`/tenants/${tenant}/limits`, 2_000);
  // Capacities are in the status, which a token for some tenants does not reach.
  const status = useQuery<StatusReply>(
    ownTenants.value === undefined ? `/status?tenant=${encodeURIComponent(tenant)}` : undefined,
    2_000,
  );
  const left = status.value?.tenants.find((one) => one.tenant === tenant)?.limits ?? [];
  return (
    <Panel title="Limits">
      <Reading of={list}>
        {({ limits }) =>
          limits.length === 0 ? (
            <Empty>Nothing limits it.</Empty>
          ) : (
            <Table label={`Limits of ${tenant}`} columns={["Limit", "In force", "Left", "Per", "Mode", ACTIONS]}>
                  {limits.map((limit) => (
                    <LimitRow key={limit.limit} tenant={tenant} limit={limit} left={left} refresh={list.refresh} />
                  ))}
                </Table>
          )
        }
      </Reading>
    </Panel>
  );
}

const LIMIT_TONES = { enforce: "ok", shadow: "info", off: "none" } as const satisfies Record<string, Tone>;

function LimitRow({
  tenant,
  limit,
  left,
  refresh,
}: {
  readonly tenant: string;
  readonly limit: LimitView;
  readonly left: readonly Left[];
  readonly refresh: () => void;
}): VNode {
  const { configured, inForce, override, partition, mode, partitions, leastFreeTokens, source } = limit;
  return (
    <tr>
      <th scope="row">
        {limit.limit} <span class="quiet small">{source}</span>
      </th>
      <td>
        {inForce}
        {override !== null && (
          <div class="small">
            <Badge tone="info">overridden</Badge> until <Time ms={override.expiresAtMs} />: {override.reason}{" "}
            <span class="quiet">(configured {configured})</span>
          </div>
        )}
      </td>
      <td>
        <Remaining free={leastFreeTokens} capacity={capacityOf(limit, left)} />
      </td>
      <td>
        {partition}
        {partition === "principal" && <span class="quiet small"> ({count(partitions)} in use)</span>}
      </td>
      <td>
        <Badge tone={LIMIT_TONES[mode]}>{mode}</Badge>
      </td>
      <td class="row-actions">
        {may("operator") && <Override tenant={tenant} limit={limit} after={refresh} />}
        {may("operator") && override !== null && <EndOverride tenant={tenant} limit={limit.limit} after={refresh} />}
      </td>
    </tr>
  );
}

/** Of its partition with the least; its name is the limit's, with what it is for behind it. */
const capacityOf = ({ limit }: LimitView, left: readonly Left[]): number | undefined =>
  left.find(({ partition }) => partition === limit || partition.startsWith(`${limit}:`) || partition.startsWith(`${limit}|`))
    ?.capacityTokens;

function Remaining({ free, capacity }: { readonly free: number | null; readonly capacity: number | undefined }): VNode {
  if (free === null) return <span class="quiet">full, unused</span>;
  if (capacity === undefined) return <>{count(Math.floor(free))}</>;
  const ratio = free / capacity;
  const tone = ratio < 0.1 ? "bad" : ratio < 0.4 ? "warn" : "ok";
  return <Bar ratio={ratio} label={`${count(Math.floor(free))} of ${count(capacity)}`} tone={tone} />;
}

const KEY_TONES: Readonly<Record<KeyView["state"], Tone>> = {
  active: "ok",
  ending: "warn",
  ended: "none",
  expired: "none",
  revoked: "bad",
};

function Keys({ keys }: { readonly keys: readonly KeyView[] }): VNode {
  if (keys.length === 0) return <Empty>It has no keys: make one with weir keys create.</Empty>;
  return (
    <Table label="API keys" columns={["Key", "Label", "State", "Scopes", "Made", "Last used", "Expires"]}>
          {keys.map(({ keyId, label, state, scopes, createdAtMs, lastUsedAtMs, expiresAtMs }) => (
            <tr key={keyId}>
              <th scope="row">
                <code>{keyId}</code>
              </th>
              <td class="words">{label}</td>
              <td>
                <Badge tone={KEY_TONES[state]}>{state}</Badge>
              </td>
              <td class="words">{scopes.join(", ") || "everything"}</td>
              <td>
                <Time ms={createdAtMs} />
              </td>
              <td>
                <Time ms={lastUsedAtMs} />
              </td>
              <td>
                <Time ms={expiresAtMs} />
              </td>
            </tr>
          ))}
        </Table>
  );
}
