/** A Grafana dashboard (10 or later) of dashboard-rows.ts. */
import { type Panel, ROWS, STATES } from "./dashboard-rows.ts";
import type { Plain } from "./yaml.ts";

const DATASOURCE = { type: "prometheus", uid: "${datasource}" };
const COLUMNS = 24;
const HEIGHT = 8;

export function dashboard(): Plain {
  return {
    title: "Weir",
    uid: "weir-gateway",
    description: "An edge-deployed rate limiting and degradation gateway: made by `npm run ops`.",
    tags: ["weir"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    annotations: { list: [openings()] },
    templating: { list: variables() },
    panels: placed(),
  };
}

function openings(): Plain {
  return {
    name: "Breakers that opened",
    datasource: DATASOURCE,
    enable: true,
    iconColor: "red",
    expr: 'sum by (origin) (changes(weir_breaker_state{job="$job",origin=~"$origin",state="open"}[1m])) > 0',
    titleFormat: "{{origin}}",
    step: "60s",
  };
}

function variables(): readonly Plain[] {
  const labelled = (name: string, label: string, query: string, all: boolean): Plain => ({
    type: "query",
    name,
    label,
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    includeAll: all,
    multi: all,
    ...(all ? { allValue: ".*", current: { text: "All", value: "$__all" } } : {}),
  });
  return [
    { type: "datasource", name: "datasource", label: "Prometheus", query: "prometheus", refresh: 1 },
    labelled("job", "Gateway", "label_values(weir_build_info, job)", false),
    labelled("origin", "Origin", 'label_values(weir_requests_total{job="$job"}, origin)', true),
    labelled("route", "Route", 'label_values(weir_requests_total{job="$job",origin=~"$origin"}, route)', true),
  ];
}

/** Rows one below the other, panels side by side as far as they fit. */
function placed(): readonly Plain[] {
  const all: Plain[] = [];
  let y = 0;
  for (const { title, panels } of ROWS) {
    all.push({
      type: "row",
      id: all.length + 1,
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y += 1;
    let x = 0;
    let tallest = 0;
    for (const panel of panels) {
      const { width, height = HEIGHT } = panel;
      if (x + width > COLUMNS) {
        x = 0;
        y += tallest;
        tallest = 0;
      }
      all.push({ id: all.length + 1, ...panelOf(panel), gridPos: { x, y, w: width, h: height } });
      x += width;
      tallest = Math.max(tallest, height);
    }
    y += tallest;
  }
  return all;
}

function panelOf({ title, type, targets, unit, stacked, description }: Panel): { readonly [key: string]: Plain } {
  const custom = type === "timeseries" && stacked === true ? { stacking: { mode: "normal" }, fillOpacity: 40 } : {};
  const isTimeline = type === "state-timeline";
  return {
    type,
    title,
    description,
    datasource: DATASOURCE,
    fieldConfig: {
      defaults: { unit: unit ?? "short", custom, ...(isTimeline ? { mappings: [stateMapping()] } : {}) },
      overrides: [],
    },
    options: optionsOf(type),
    targets: targets.map(({ expr, legend, format, instant }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource: DATASOURCE,
      editorMode: "code",
      expr,
      legendFormat: legend ?? "__auto",
      ...(format === undefined ? {} : { format }),
      ...(type === "table" ? { format: "table" } : {}),
      ...(instant === true ? { instant: true, range: false } : { range: true }),
    })),
  };
}

function stateMapping(): Plain {
  const options = STATES.map(([, text, color], index) => [String(index), { text, color, index }] as const);
  return { type: "value", options: Object.fromEntries(options) };
}

function optionsOf(type: Panel["type"]): Plain {
  switch (type) {
    case "timeseries":
      return { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } };
    case "stat":
      return { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area" };
    case "heatmap":
      return { calculate: false, yAxis: { unit: "s" }, color: { mode: "scheme", scheme: "Oranges" } };
    case "state-timeline":
      return { mergeValues: true, showValue: "auto" };
    case "bargauge":
      return { orientation: "horizontal", displayMode: "basic", reduceOptions: { calcs: ["lastNotNull"] } };
    case "table":
      return { showHeader: true };
  }
}
