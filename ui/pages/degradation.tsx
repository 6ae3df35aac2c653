/** What users get in the place of the origin's answers, by route; and the pages they would see. */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { PagePreview, PagesReply } from "../../src/admin/contract.ts";
import { API_BASE } from "../../src/admin/contract.ts";
import { pathOf } from "../api.ts";
import { count, percent, rate } from "../model/format.ts";
import { outcomesOf, type Outcomes, type Point, SERVED_BY, sumOf } from "../model/traffic.ts";
import { SelectField } from "../parts/action.tsx";
import { Chart } from "../parts/chart.tsx";
import { servedLines } from "../parts/lines.ts";
import { MaintenancePanel } from "../parts/maintenance.tsx";
import { type Range, RangeSwitch, Recorded, type Traffic } from "../parts/range.tsx";
import { Empty, PageHead, Panel, Reading, Table } from "../parts/small.tsx";
import { hrefOf } from "../state/place.ts";
import { useQuery } from "../state/query.ts";

export function Degradation({ of }: { readonly of: string | undefined }): VNode {
  const pages = useQuery<PagesReply>("/pages");
  return (
    <>
      <PageHead title={of === undefined ? "Degradation" : `Degradation of ${of}`}>
        {of !== undefined && <a href={hrefOf("degradation")}>All routes</a>}
      </PageHead>
      <Served of={of} pages={pages.value} />
      <MaintenancePanel pages={pages.value} />
      <Panel title="Pages, as users see them">
        <Reading of={pages}>{(value) => <Preview pages={value} route={of} />}</Reading>
      </Panel>
    </>
  );
}

function Served({ of, pages }: { readonly of: string | undefined; readonly pages: PagesReply | undefined }): VNode {
  const range = useSignal<Range>("live");
  const wanted = (route: string): boolean => of === undefined || route === of;
  const draw = ({ counted, drawn, spanMs }: Traffic): VNode => (
    <>
      <Chart
        name={of === undefined ? "Served by, all routes" : `Served by, ${of}`}
        times={drawn.map(({ toMs }) => toMs)}
        spanMs={spanMs}
        lines={servedLines(drawn, wanted)}
        stacked
        format={(value) => `${rate(value)}/s`}
        empty="Nothing is known of this time yet."
      />
      {of === undefined && <ByRoute points={counted} routes={pages?.routes ?? []} />}
    </>
  );
  return (
    <Panel title="Served by" actions={<RangeSwitch range={range} />}>
      <Recorded range={range.value}>{draw}</Recorded>
    </Panel>
  );
}

function ByRoute({
  points,
  routes,
}: {
  readonly points: readonly Point[];
  readonly routes: PagesReply["routes"];
}): VNode {
  if (routes.length === 0) return <Empty>The config has no routes.</Empty>;
  return (
    <Table label="What answered, by route" columns={["Route", "Origin", { number: "Answers" }, "Served by", "Also"]}>
          {routes.map(({ route, origin, path }) => {
            const outcomes = outcomesOf(points, (one) => one === route);
            return (
              <tr key={route}>
                <th scope="row">
                  <a href={hrefOf("degradation", route)}>{route}</a> <code class="quiet">{path}</code>
                </th>
                <td>{origin}</td>
                <td class="number">{count(sumOf(outcomes, SERVED_BY))}</td>
                <td>
                  <Shares outcomes={outcomes} />
                </td>
                <td class="words small">{refusalsOf(outcomes)}</td>
              </tr>
            );
          })}
        </Table>
  );
}

const refusalsOf = ({ throttled, refused }: Outcomes): string =>
  [
    [throttled, "throttled"],
    [refused, "refused"],
  ]
    .flatMap(([value, word]) => (typeof value === "number" && value > 0 ? [`${count(value)} ${word}`] : []))
    .join(", ") || "–";

function Shares({ outcomes }: { readonly outcomes: Outcomes }): VNode {
  const total = sumOf(outcomes, SERVED_BY);
  const parts = SERVED_BY.filter((outcome) => outcomes[outcome] > 0);
  if (total === 0) return <span class="quiet">no traffic</span>;
  return (
    <div class="shares">
      <div class="strip" aria-hidden="true">
        {parts.map((outcome) => (
          <div
            key={outcome}
            style={{ width: `${(outcomes[outcome] / total) * 100}%`, background: `var(--${outcome})` }}
          />
        ))}
      </div>
      <span class="small">{parts.map((outcome) => `${outcome} ${percent(outcomes[outcome] / total, 0)}`).join(", ")}</span>
    </div>
  );
}

const LANGUAGE_NAMES = new Intl.DisplayNames("en", { type: "language" });

function Preview({ pages, route: first }: { readonly pages: PagesReply; readonly route: string | undefined }): VNode {
  const route = useSignal(first ?? pages.routes[0]?.route ?? "");
  const state = useSignal<string>(pages.states[0] ?? "open");
  const lang = useSignal<string>(pages.languages[0] ?? "en");
  const asked = new URLSearchParams({ state: state.value, lang: lang.value });
  const answer = useQuery<PagePreview>(pathOf`/pages/${route.value}/preview` + `?${asked.toString()}`);
  if (route.value === "") return <Empty>The config has no routes.</Empty>;
  return (
    <>
      <div class="fields">
        <SelectField
          name="route"
          label="Route"
          options={pages.routes.map((one) => [one.route, one.route])}
          value={route.value}
          onChange={(value) => {
            route.value = value;
          }}
        />
        <SelectField
          name="state"
          label="When it is"
          options={pages.states.map((one) => [one, one.replaceAll("-", " ")])}
          value={state.value}
          onChange={(value) => {
            state.value = value;
          }}
        />
        <SelectField
          name="lang"
          label="Language"
          options={pages.languages.map((one) => [one, LANGUAGE_NAMES.of(one) ?? one])}
          value={lang.value}
          onChange={(value) => {
            lang.value = value;
          }}
        />
      </div>
      <Reading of={answer}>
        {({ status, headers }) => (
          <>
            <p class="small">
              <strong>{status}</strong>{" "}
              {["content-type", "retry-after", "weir-served", "content-language"]
                .flatMap((name) => (headers[name] === undefined ? [] : [`${name}: ${headers[name]}`]))
                .join(" · ")}
            </p>
            <iframe
              class="preview"
              title={`The page of ${route.value} when it is ${state.value}`}
              sandbox=""
              src={`${API_BASE}${pathOf`/pages/${route.value}/document`}?${asked.toString()}`}
            />
          </>
        )}
      </Reading>
    </>
  );
}
