/** Tenants: who is throttled most, a search through all of them, and one with its limits. */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { TenantList } from "../../src/admin/contract.ts";
import { rate } from "../model/format.ts";
import { tenantsOf } from "../model/traffic.ts";
import { Chart } from "../parts/chart.tsx";
import { throttledLines } from "../parts/lines.ts";
import { type Range, RangeSwitch, Recorded, type Traffic } from "../parts/range.tsx";
import { Badge, Empty, PageHead, Paging, Panel, Reading, Table } from "../parts/small.tsx";
import { TenantTable } from "../parts/tenant-table.tsx";
import { hrefOf } from "../state/place.ts";
import { useQuery } from "../state/query.ts";
import { ownTenants } from "../state/session.ts";
import { Tenant } from "./tenant.tsx";

export function Tenants({ of }: { readonly of: string | undefined }): VNode {
  if (of !== undefined) return <Tenant key={of} tenant={of} />;
  const own = ownTenants.value;
  return (
    <>
      <PageHead title="Tenants" />
      {own === undefined ? (
        <>
          <Throttled />
          <Search />
        </>
      ) : (
        <Panel title="Your tenants">
          <ul class="glance">
            {own.map((tenant) => (
              <li key={tenant}>
                <a href={hrefOf("tenants", tenant)}>{tenant}</a>
              </li>
            ))}
          </ul>
        </Panel>
      )}
    </>
  );
}

const MAX_SHOWN = 25;

function Throttled(): VNode {
  const range = useSignal<Range>("live");
  const show = ({ counted, drawn, spanMs }: Traffic): VNode => {
    const tenants = tenantsOf(counted).slice(0, MAX_SHOWN);
    const lines = throttledLines(drawn);
    return (
      <>
        {lines.length > 0 && (
          <Chart
            name="Throttled by tenant"
            times={drawn.map(({ toMs }) => toMs)}
            spanMs={spanMs}
            lines={lines}
            format={(value) => `${rate(value)}/s`}
            empty=""
            height={150}
          />
        )}
        {tenants.length === 0 ? (
          <Empty>No tenant asked for anything in this time.</Empty>
        ) : (
          <TenantTable label="Tenants by how much they are throttled" tenants={tenants} />
        )}
      </>
    );
  };
  return (
    <Panel title="Most throttled" actions={<RangeSwitch range={range} />}>
      <Recorded range={range.value}>{show}</Recorded>
    </Panel>
  );
}

const PAGE = 50;

function Search(): VNode {
  const search = useSignal("");
  const cursors = useSignal<readonly string[]>([]);
  const cursor = cursors.value.at(-1);
  const asked = new URLSearchParams({ limit: String(PAGE), search: search.value, ...(cursor === undefined ? {} : { cursor }) });
  const list = useQuery<TenantList>(`/tenants?${asked.toString()}`);
  const field = (
    <input
      type="search"
      aria-label="Search tenants by id or label"
      placeholder="Search by id or label"
      maxLength={100}
      onInput={(event) => {
        search.value = event.currentTarget.value;
        cursors.value = [];
      }}
    />
  );
  return (
    <Panel title="All tenants" actions={field}>
      <Reading of={list}>
        {({ tenants, next }) => (
          <>
            {tenants.length === 0 ? <Empty>No tenant is called so.</Empty> : <Found tenants={tenants} />}
            <Paging cursors={cursors} next={next} back="Back" on="More" />
          </>
        )}
      </Reading>
    </Panel>
  );
}

const Found = ({ tenants }: Pick<TenantList, "tenants">): VNode => (
  <Table label="Tenants found" columns={["Tenant", "Label", "Plan", "From", "State"]}>
        {tenants.map(({ tenant, label, plan, source, suspended }) => (
          <tr key={tenant}>
            <th scope="row">
              <a href={hrefOf("tenants", tenant)}>{tenant}</a>
            </th>
            <td class="words">{label}</td>
            <td>{plan}</td>
            <td>{source === "file" ? "config" : "API"}</td>
            <td>{suspended === null ? <Badge tone="ok">served</Badge> : <Badge tone="bad">suspended</Badge>}</td>
          </tr>
        ))}
      </Table>
);
