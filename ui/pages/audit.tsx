/** The audit: every write, who did it, and what became of it. */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { AuditEntry, AuditPage } from "../../src/admin/contract.ts";
import { count } from "../model/format.ts";
import { Badge, Empty, PageHead, Paging, Panel, Reading, Table, Time, type Tone } from "../parts/small.tsx";
import { useQuery } from "../state/query.ts";

const PAGE = 50;
const FILTERS = ["actor", "operation", "tenant"] as const;
const OUTCOMES: readonly AuditEntry["outcome"][] = ["done", "refused", "failed", "unfinished"];
const TONES: Readonly<Record<AuditEntry["outcome"], Tone>> = {
  done: "ok",
  refused: "warn",
  failed: "bad",
  unfinished: "none",
};

export function Audit(): VNode {
  const filters = useSignal<Readonly<Record<string, string>>>({});
  const cursors = useSignal<readonly string[]>([]);
  const cursor = cursors.value.at(-1);
  const given = Object.fromEntries(Object.entries(filters.value).filter(([, value]) => value !== ""));
  const asked = new URLSearchParams({ limit: String(PAGE), ...given, ...(cursor === undefined ? {} : { cursor }) });
  const page = useQuery<AuditPage>(`/audit?${asked.toString()}`, 10_000);
  const set = (name: string, value: string): void => {
    filters.value = { ...filters.value, [name]: value.trim() };
    cursors.value = [];
  };
  return (
    <>
      <PageHead title="Audit" />
      <Panel title="Writes" actions={<Filters set={set} />}>
        <Reading of={page}>
          {({ entries, next, dropped }) => (
            <>
              {entries.length === 0 ? <Empty>Nothing was written, as far as this looks.</Empty> : <Entries of={entries} />}
              <Paging cursors={cursors} next={next} back="Newer" on="Older" />
              {dropped > 0 && <p class="small quiet">{count(dropped)} older entries gave way.</p>}
            </>
          )}
        </Reading>
      </Panel>
    </>
  );
}

const Filters = ({ set }: { readonly set: (name: string, value: string) => void }): VNode => (
  <div class="filters">
    {FILTERS.map((name) => (
      <input
        key={name}
        type="search"
        aria-label={`Only of this ${name}`}
        placeholder={name}
        maxLength={64}
        onChange={(event) => {
          set(name, event.currentTarget.value);
        }}
      />
    ))}
    <select
      aria-label="Only with this outcome"
      onChange={(event) => {
        set("outcome", event.currentTarget.value);
      }}
    >
      <option value="">any outcome</option>
      {OUTCOMES.map((outcome) => (
        <option key={outcome} value={outcome}>
          {outcome}
        </option>
      ))}
    </select>
  </div>
);

const Entries = ({ of }: { readonly of: readonly AuditEntry[] }): VNode => (
  <Table label="Entries of the audit" columns={["When", "Who", "Operation", "On", "Outcome", "Before, after", "From"]}>
        {of.map((entry) => (
          <tr key={entry.entryId}>
            <th scope="row">
              <Time ms={entry.atMs} />
            </th>
            <td class="words">
              {entry.actor.name} <span class="quiet small">{entry.actor.role}</span>
            </td>
            <td>{entry.operation}</td>
            <td class="words">{Object.values(entry.params).join(" ") || "–"}</td>
            <td>
              <Badge tone={TONES[entry.outcome]}>{entry.outcome}</Badge>
            </td>
            <td class="words">
              {entry.before === null && entry.after === null ? (
                "–"
              ) : (
                <details>
                  <summary>
                    Show<span class="hidden-text"> what entry {entry.entryId} changed</span>
                  </summary>
                  <pre>
                    {JSON.stringify(entry.before, null, 1)}
                    {"\n\n"}
                    {JSON.stringify(entry.after, null, 1)}
                  </pre>
                </details>
              )}
            </td>
            <td>
              <code>{entry.client || "–"}</code>
            </td>
          </tr>
        ))}
      </Table>
);
