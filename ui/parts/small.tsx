/** The small parts of every page. */
import type { Signal } from "@preact/signals";
import type { ComponentChildren, VNode } from "preact";
import { useId } from "preact/hooks";
import type { Refused } from "../api.ts";
import { clock, utc } from "../model/format.ts";
import type { Query } from "../state/query.ts";

interface Around {
  readonly children?: ComponentChildren;
}

export function Panel({
  title,
  actions,
  wide,
  children,
}: Around & { readonly title: string; readonly actions?: ComponentChildren; readonly wide?: boolean }): VNode {
  const id = useId();
  return (
    <section class={wide === true ? "panel wide" : "panel"} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        <div class="actions">{actions}</div>
      </header>
      {children}
    </section>
  );
}

export function PageHead({ title, children }: Around & { readonly title: ComponentChildren }): VNode {
  return (
    <div class="page-head">
      <h1 tabIndex={-1}>{title}</h1>
      <div class="actions">{children}</div>
    </div>
  );
}

/** Local, with the date where it is not today; UTC where one points at it. */
export const Time = ({ ms }: { readonly ms: number | null | undefined }): VNode =>
  ms === null || ms === undefined ? (
    <span class="quiet">–</span>
  ) : (
    <time dateTime={new Date(ms).toISOString()} title={utc(ms)}>
      {clock(ms)}
    </time>
  );

export type Tone = "ok" | "warn" | "bad" | "info" | "none";

/** A shape beside the colour, and a word beside both. */
export const Badge = ({ tone, children }: Around & { readonly tone: Tone }): VNode => (
  <span class={`badge ${tone}`}>
    <i aria-hidden="true" />
    {children}
  </span>
);

const BREAKER_TONES: Readonly<Record<string, Tone>> = {
  closed: "ok",
  open: "bad",
  "half-open": "warn",
  ramp: "warn",
  unreachable: "none",
};
export const BreakerBadge = ({ state, forced }: { readonly state: string; readonly forced: boolean }): VNode => (
  <Badge tone={BREAKER_TONES[state] ?? "info"}>
    {state}
    {forced ? ", by hand" : ""}
  </Badge>
);

export function Tile({
  label,
  value,
  unit,
  note,
  tone,
}: {
  readonly label: string;
  readonly value: string;
  readonly unit?: string;
  readonly note?: ComponentChildren;
  readonly tone?: Tone;
}): VNode {
  return (
    <div class={`tile ${tone ?? ""}`}>
      <dt>{label}</dt>
      <dd>
        <span class="figure">{value}</span>
        {unit !== undefined && <span class="unit"> {unit}</span>}
        {note !== undefined && <div class="quiet small">{note}</div>}
      </dd>
    </div>
  );
}

/** A share of a whole, as a bar and in words. */
export function Bar({
  ratio,
  label,
  tone = "ok",
}: {
  readonly ratio: number;
  readonly label: string;
  readonly tone?: Tone;
}): VNode {
  const width = `${Math.round(Math.min(1, Math.max(0, ratio)) * 100)}%`;
  return (
    <div class="measure">
      <div class={`bar ${tone}`} aria-hidden="true">
        <div style={{ width }} />
      </div>
      <span>{label}</span>
    </div>
  );
}

/** Scrolls by itself where it is wider than the page; reached by keyboard. */
export const Scroll = ({ label, children }: Around & { readonly label: string }): VNode => (
  // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- else no keyboard could scroll it
  <div class="scroll" role="region" aria-label={`Table: ${label}`} tabIndex={0}>
    {children}
  </div>
);

/** Of figures, their name; else what stands in its place. */
type Column = string | { readonly number: string } | { readonly unseen: string };

/** The column of buttons: named for those who hear the table. */
export const ACTIONS: Column = { unseen: "Actions" };

interface TableProps extends Around {
  readonly label: string;
  readonly columns: readonly Column[];
}

/** `children`: its rows. */
export const Table = ({ label, columns, children }: TableProps): VNode => (
  <Scroll label={label}>
    <table>
      <thead>
        <tr>{columns.map(headOf)}</tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </Scroll>
);

function headOf(column: Column): VNode {
  if (typeof column === "string") return <th scope="col">{column}</th>;
  if ("number" in column) {
    return (
      <th scope="col" class="number">
        {column.number}
      </th>
    );
  }
  return (
    <th scope="col">
      <span class="hidden-text">{column.unseen}</span>
    </th>
  );
}

interface PagingProps {
  /** Of the pages before the one that is shown, and of that one; the first page has none. */
  readonly cursors: Signal<readonly string[]>;
  readonly next: string | null;
  readonly back: string;
  readonly on: string;
}

/** Page by page through a list. */
export const Paging = ({ cursors, next, back, on }: PagingProps): VNode => (
  <div class="paging">
    {cursors.value.length > 0 && (
      <button
        type="button"
        onClick={() => {
          cursors.value = cursors.value.slice(0, -1);
        }}
      >
        {back}
      </button>
    )}
    {next !== null && (
      <button
        type="button"
        onClick={() => {
          cursors.value = [...cursors.value, next];
        }}
      >
        {on}
      </button>
    )}
  </div>
);

export const Empty = ({ children }: Around): VNode => <p class="empty">{children}</p>;

export const Problem = ({ refused, again }: { readonly refused: Refused; readonly again?: () => void }): VNode => (
  <div class="note bad" role="alert">
    <strong>{refused.title}</strong>
    {refused.detail !== undefined && <p class="small">{refused.detail}</p>}
    {again !== undefined && (
      <button type="button" class="plain" onClick={again}>
        Try again
      </button>
    )}
  </div>
);

/** What was read, or why not: loading, failed, stale, there. */
export function Reading<Value>({
  of,
  children,
}: {
  readonly of: Query<Value>;
  readonly children: (value: Value) => ComponentChildren;
}): VNode {
  const { value, refused, atMs, refresh } = of;
  if (value === undefined) {
    return refused === undefined ? (
      <p class="loading" role="status">
        Loading…
      </p>
    ) : (
      <Problem refused={refused} again={refresh} />
    );
  }
  return (
    <>
      {refused !== undefined && (
        <p class="note small" role="status">
          Stale since <Time ms={atMs} />: {refused.title}.
        </p>
      )}
      {children(value)}
    </>
  );
}
