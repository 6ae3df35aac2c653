/** Draws what was admitted against what an ideal bucket would have admitted, as an SVG without a library. */
import { BIN_MS } from "./ledger.ts";
import { DESIGNS, run } from "./run.ts";
import { SCENARIOS } from "./scenarios.ts";

const WIDTH = 960;
const PANEL = 150;
const LEFT = 70;
const TOP = 50;
/** Bins are added up to this, so that the noise of single requests does not hide the shape. */
const STEP_MS = 500;

export function drawAdmitted(name: string, seed: number): string {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new TypeError(`no scenario ${name}`);
  const panels = DESIGNS.map((design, index) => {
    const { ledger, idealBins, figures } = run(scenario, design, seed);
    return panel(
      design,
      figures.over,
      perSecond(ledger.bins),
      perSecond(idealBins),
      scenario.ratePerSecond,
      TOP + index * (PANEL + 40),
    );
  });
  const height = TOP + DESIGNS.length * (PANEL + 40) + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="22" font-size="16" font-weight="600">${name}: ${escaped(scenario.about)}</text>
<text x="${LEFT}" y="38" fill="#555">requests admitted per second (blue), by an ideal bucket (grey), rate (dashed); seed ${seed}</text>
${panels.join("\n")}
</svg>
`;
}

function perSecond(bins: readonly number[]): number[] {
  const size = STEP_MS / BIN_MS;
  return Array.from({ length: Math.ceil(bins.length / size) }, (_, step) => {
    let sum = 0;
    for (let bin = step * size; bin < (step + 1) * size; bin++) sum += bins[bin] ?? 0;
    return (sum * 1_000) / STEP_MS;
  });
}

function panel(
  design: string,
  over: number,
  admitted: readonly number[],
  ideal: readonly number[],
  rate: number,
  top: number,
): string {
  const most = Math.max(rate, ...admitted, ...ideal) * 1.05;
  const steps = Math.max(admitted.length, ideal.length);
  const x = (step: number): number => LEFT + ((WIDTH - LEFT - 20) * step) / Math.max(1, steps);
  const y = (value: number): number => top + PANEL - (PANEL * value) / most;
  const line = (values: readonly number[], colour: string, width: number): string =>
    `<polyline fill="none" stroke="${colour}" stroke-width="${width}" points="${values.map((value, step) => `${x(step + 0.5).toFixed(1)},${y(value).toFixed(1)}`).join(" ")}"/>`;
  return `<text x="${LEFT}" y="${top - 6}" font-weight="600">${design}: ${over === 0 ? "0 tokens over" : `${Math.round(over)} tokens over in the worst window`}</text>
<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${top + PANEL}" y2="${top + PANEL}" stroke="#999"/>
<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(rate)}" y2="${y(rate)}" stroke="#c00" stroke-dasharray="4 4"/>
<text x="${LEFT - 6}" y="${y(rate) + 4}" text-anchor="end" fill="#c00">${rate}</text>
<text x="${LEFT - 6}" y="${top + 8}" text-anchor="end" fill="#555">${Math.round(most)}</text>
<text x="${WIDTH - 20}" y="${top + PANEL + 14}" text-anchor="end" fill="#555">${(steps * STEP_MS) / 1_000} s</text>
${line(ideal, "#aaa", 3)}
${line(admitted, "#1565c0", 1.5)}`;
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
