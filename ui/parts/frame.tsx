/** What is around every page: where one may go, whether what is shown is live, who is logged in. */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { SessionView } from "../../src/admin/contract.ts";
import { duration } from "../model/format.ts";
import { Alerts } from "../pages/alerts.tsx";
import { Audit } from "../pages/audit.tsx";
import { Breakers } from "../pages/breakers.tsx";
import { Configs } from "../pages/configs.tsx";
import { Degradation } from "../pages/degradation.tsx";
import { Overview } from "../pages/overview.tsx";
import { Tenants } from "../pages/tenants.tsx";
import { latest, link, startLive } from "../state/live.ts";
import { hrefOf, place } from "../state/place.ts";
import { useNow } from "../state/query.ts";
import { said } from "../state/said.ts";
import { logOut } from "../state/session.ts";
import { setTheme, theme, THEMES } from "../state/theme.ts";
import { Badge, Empty, PageHead, Time } from "./small.tsx";

interface PageEntry {
  readonly id: string;
  readonly title: string;
  readonly show: (of: string | undefined) => VNode;
  /** Also for a token that is for some tenants only. */
  readonly ofTenants?: true;
}

const PAGES: readonly PageEntry[] = [
  { id: "overview", title: "Overview", show: () => <Overview /> },
  { id: "breakers", title: "Breakers", show: (of) => <Breakers of={of} /> },
  { id: "tenants", title: "Tenants", show: (of) => <Tenants of={of} />, ofTenants: true },
  { id: "degradation", title: "Degradation", show: (of) => <Degradation of={of} /> },
  { id: "alerts", title: "SLOs & alerts", show: () => <Alerts /> },
  { id: "configs", title: "Configs", show: () => <Configs /> },
  { id: "audit", title: "Audit", show: () => <Audit /> },
];

export function Frame({ who }: { readonly who: SessionView }): VNode {
  const seesAll = who.tenants === null;
  useEffect(() => (seesAll ? startLive() : undefined), [seesAll]);
  const pages = PAGES.filter(({ ofTenants }) => seesAll || ofTenants === true);
  const { page, of } = place.value;
  const shown = pages.find(({ id }) => id === page) ?? (page === "overview" ? pages[0] : undefined);
  const main = useRef<HTMLElement>(null);
  const before = useRef(`${page}/${of}`);
  useEffect(() => {
    document.title = `${shown?.title ?? "Nothing here"} · Weir`;
    if (before.current === `${page}/${of}`) return;
    // One who goes elsewhere by keyboard begins at the head of what is new.
    before.current = `${page}/${of}`;
    scrollTo(0, 0);
    main.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  }, [page, of]);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={skipTo(main)}>
        To the page
      </a>
      <header class="top">
        <a class="mark" href={hrefOf("overview")}>
          Weir
        </a>
        {seesAll && <Liveness />}
        <Who who={who} />
      </header>
      <nav aria-label="Pages">
        <ul>
          {pages.map(({ id, title }) => (
            <li key={id}>
              <a href={hrefOf(id)} aria-current={shown?.id === id ? "page" : undefined}>
                {title}
                {id === "alerts" && <Firing />}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        {shown?.show(of) ?? (
          <>
            <PageHead title="Nothing here" />
            <Empty>There is no such page.</Empty>
          </>
        )}
      </main>
      <div class="said" role="status">
        {said.value !== "" && <p>{said.value}</p>}
      </div>
    </div>
  );
}

/** The address after the `#` is the page's: it must not change. */
const skipTo =
  (target: { readonly current: HTMLElement | null }) =>
  (event: Event): void => {
    event.preventDefault();
    target.current?.focus();
  };

const Firing = (): VNode | null => {
  const firing = latest.value?.firing ?? 0;
  return firing === 0 ? null : (
    <span class="count" aria-label={`${firing} firing`}>
      {firing}
    </span>
  );
};

function Liveness(): VNode {
  const now = useNow(1_000);
  const { value } = link;
  const tick = latest.value;
  if (value.kind === "live" && tick !== undefined) {
    return (
      <div class="liveness">
        <Badge tone="ok">live</Badge>
        <span class="quiet small">
          {tick.edges} {tick.edges === 1 ? "isolate" : "isolates"}, <Time ms={tick.atMs} />
        </span>
      </div>
    );
  }
  if (value.kind !== "lost") return <Badge tone="none">connecting…</Badge>;
  const next =
    value.nextTryAtMs === undefined ? "trying" : `next try in ${duration(Math.max(0, value.nextTryAtMs - now))}`;
  return (
    <div class="liveness stale" role="status">
      <Badge tone="warn">
        stale since <Time ms={value.sinceMs} />
      </Badge>
      <span class="quiet small" aria-hidden="true">
        {next}
      </span>
    </div>
  );
}

function Who({ who }: { readonly who: SessionView }): VNode {
  return (
    <div class="who">
      <select
        aria-label="Theme"
        class="small"
        onChange={(event) => {
          setTheme(THEMES.find((known) => known === event.currentTarget.value) ?? "system");
        }}
      >
        {THEMES.map((known) => (
          <option key={known} value={known} selected={theme.value === known}>
            {known === "system" ? "auto" : known}
          </option>
        ))}
      </select>
      <span class="small">
        {who.name} <span class="quiet">{who.role}</span>
      </span>
      <button type="button" class="plain small" onClick={() => void logOut()}>
        Log out
      </button>
    </div>
  );
}
