/**
 * Tests for `promtool test rules`: synthetic series, and what the rules make of them. What burn rates should be is computed
 * by Weir's own evaluator (`policy/objectives`) from the same counts: that the two agree is what these tests show.
 */
import { LATENCY_BOUNDS_SECONDS } from "../../src/policy/kernel/histogram.ts";
import { judgeBurn } from "../../src/policy/objectives/burn.ts";
import { type CountedRoute, eventsOfRoutes } from "../../src/policy/objectives/events.ts";
import type { EventCounts, Objective } from "../../src/policy/objectives/types.ts";
import { durationText } from "../../src/config/units.ts";
import { burnName, JOB, type Watching } from "./rules.ts";
import { simpleTests } from "./simple-tests.ts";
import type { Plain } from "./yaml.ts";

const MINUTE_MS = 60_000;
/** Prometheus 3 leaves the sample at a window's beginning out, so a burn rate may differ by one of 60 samples. */
const TOLERANCE = 0.02;

/** What each route counts in one step of the trace; times its own number, so that no two are alike. */
interface Step {
  readonly origin: number;
  readonly stale: number;
  readonly fallback: number;
  readonly throttled: number;
  /** Of `origin`: slower than any bound. */
  readonly slow: number;
}
interface Trace {
  readonly name: string;
  readonly stepMs: number;
  readonly segments: readonly (readonly [steps: number, of: Step])[];
  /** Steps at which it is looked. */
  readonly looks: readonly number[];
}

const HEALTHY: Step = { origin: 1_000, stale: 0, fallback: 0, throttled: 50, slow: 1 };
const TRACES: readonly Trace[] = [
  {
    name: "an outage of half an hour, served stale first",
    stepMs: MINUTE_MS,
    segments: [
      [360, HEALTHY],
      [10, { origin: 500, stale: 500, fallback: 0, throttled: 50, slow: 250 }],
      [20, { origin: 100, stale: 0, fallback: 900, throttled: 50, slow: 90 }],
      [60, HEALTHY],
    ],
    looks: [360, 370, 380, 390, 400, 450],
  },
  {
    name: "few failures for hours",
    stepMs: 30 * MINUTE_MS,
    segments: [
      [8, HEALTHY],
      [16, { origin: 9_980, stale: 0, fallback: 20, throttled: 0, slow: 200 }],
    ],
    looks: [8, 16, 24],
  },
];

export function ruleTests(watching: Watching, tolerance = TOLERANCE): Plain {
  return {
    rule_files: ["weir-rules.yml"],
    evaluation_interval: "10m",
    tests: [
      ...(watching.objectives.length === 0 ? [] : TRACES.map((trace) => burnTest(trace, watching, tolerance))),
      ...simpleTests(watching.alerts),
    ],
  };
}

function burnTest(trace: Trace, watching: Watching, tolerance: number): Plain {
  const routes = concerned(watching);
  return {
    name: trace.name,
    interval: durationText(trace.stepMs),
    input_series: routes.flatMap((route, index) => inputSeries(trace, route, index + 1)),
    promql_expr_test: trace.looks.flatMap((step) =>
      watching.objectives.flatMap((objective) => looks(trace, step, objective, watching, tolerance)),
    ),
  };
}

/** The routes that objectives are about: of an origin two, which is enough to see that they are added up. */
function concerned({ objectives, routes }: Watching): Watching["routes"] {
  const wanted = new Set(
    objectives.flatMap(({ origin, route }) =>
      route === undefined
        ? routes
            .filter((one) => one.origin === origin)
            .slice(0, 2)
            .map(({ id }) => id)
        : [route],
    ),
  );
  return routes.filter(({ id }) => wanted.has(id));
}

function looks(trace: Trace, step: number, objective: Objective, watching: Watching, tolerance: number): Plain[] {
  const routes = concerned(watching);
  const within = (lastMs: number): EventCounts => {
    const from = countedUntil(trace, Math.max(0, step - lastMs / trace.stepMs), routes);
    const to = countedUntil(trace, step, routes);
    const [before, after] = [from, to].map((counted) => eventsOfRoutes(objective, routes, counted));
    return { total: (after?.total ?? 0) - (before?.total ?? 0), bad: (after?.bad ?? 0) - (before?.bad ?? 0) };
  };
  const eval_time = durationText(step * trace.stepMs);
  const burns = judgeBurn(objective, within);
  const rates = new Map(
    burns.flatMap(({ longMs, shortMs, longBurnRate, shortBurnRate }) => [
      [longMs, longBurnRate] as const,
      [shortMs, shortBurnRate] as const,
    ]),
  );
  const period = durationText(objective.windowMs);
  // A window needs two samples.
  const judged = [...rates].filter(([ms]) => ms >= 2 * trace.stepMs);
  return [
    ...judged.map(([ms, rate]) => ({
      expr: `abs(${burnName(ms)}{objective="${objective.id}"} - ${rate}) <= bool ${Math.max(rate, 1) * tolerance}`,
      eval_time,
      exp_samples: [{ labels: `{job="${JOB}",objective="${objective.id}",period="${period}"}`, value: 1 }],
    })),
    ...burns
      .filter(({ shortMs }) => shortMs >= 2 * trace.stepMs)
      .map(({ longMs, severity, burning }) => {
        const alert = `alertname="WeirErrorBudgetBurn",objective="${objective.id}",long="${durationText(longMs)}"`;
        return firing(`${alert},severity="${severity}"`, eval_time, burning);
      }),
  ];
}

export function firing(matchers: string, eval_time: string, fires: boolean): Plain {
  return {
    expr: `count(ALERTS{${matchers},alertstate="firing"})`,
    eval_time,
    exp_samples: fires ? [{ labels: "{}", value: 1 }] : [],
  };
}

/** Of all routes, from the trace's beginning. */
function countedUntil(trace: Trace, step: number, routes: Watching["routes"]): Readonly<Record<string, CountedRoute>> {
  const sum = { origin: 0, stale: 0, fallback: 0, throttled: 0, slow: 0 };
  let begin = 0;
  for (const [steps, of] of trace.segments) {
    const taken = Math.max(0, Math.min(steps, step - begin));
    for (const name of Object.keys(sum) as (keyof Step)[]) sum[name] += taken * of[name];
    begin += steps;
  }
  return Object.fromEntries(
    routes.map(({ id }, index) => {
      const { slow, ...outcomes } = sum;
      const scaled = Object.entries(outcomes).map(([outcome, count]) => [outcome, count * (index + 1)]);
      const goodBuckets = LATENCY_BOUNDS_SECONDS.map(() => 0);
      goodBuckets[0] = (sum.origin - slow) * (index + 1);
      return [id, { outcomes: Object.fromEntries(scaled), goodBuckets: [...goodBuckets, slow * (index + 1)] }];
    }),
  );
}

function inputSeries(trace: Trace, { id, origin }: Watching["routes"][number], factor: number): Plain[] {
  const labels = `job="${JOB}",origin="${origin}",route="${id}"`;
  const values = (of: (step: Step) => number): string => {
    let total = 0;
    const parts = ["0"];
    for (const [steps, step] of trace.segments) {
      const by = of(step) * factor;
      parts.push(`${total + by}+${by}x${steps - 1}`);
      total += by * steps;
    }
    return parts.join(" ");
  };
  const outcomes = (["origin", "stale", "fallback", "throttled"] as const).map((outcome) => ({
    series: `weir_requests_total{${labels},outcome="${outcome}"}`,
    values: values((step) => step[outcome]),
  }));
  const within = [...LATENCY_BOUNDS_SECONDS, "+Inf"].map((bound) => ({
    series: `weir_good_requests_total{${labels},within="${bound}"}`,
    values: values(({ origin, slow }) => (bound === "+Inf" ? origin : origin - slow)),
  }));
  return [...outcomes, ...within];
}
