import type { VNode } from "preact";
import type { ObjectiveView } from "../../src/admin/contract.ts";
import { duration, percent, rate } from "../model/format.ts";
import { Badge, Bar, Empty, Table } from "./small.tsx";

export const subjectOf = ({ origin, route, kind, withinMs }: ObjectiveView): string => {
  const what = kind === "latency" && withinMs !== null ? `within ${duration(withinMs)}` : kind.replaceAll("-", " ");
  return `${origin ?? route ?? ""}, ${what}`;
};

export const leftInWords = ({ total, budgetLeftRatio }: ObjectiveView): string =>
  total === 0 ? "no traffic" : budgetLeftRatio < 0 ? "overspent" : percent(budgetLeftRatio);

/** What is left of each budget, and how fast it burns. */
export function BudgetGlance({ objectives }: { readonly objectives: readonly ObjectiveView[] }): VNode {
  if (objectives.length === 0)
    return <Empty>No objectives are known: the config has none, or no traffic has told of them yet.</Empty>;
  return (
    <Table
      label="Error budgets"
      columns={["Objective", { number: "Target" }, "Budget left", { number: "Burn, 1 h" }, "State"]}
    >
      {objectives.map((objective) => {
        const { id, targetRatio, windowMs, budgetLeftRatio, burn } = objective;
        const burning = burn.find((window) => window.burning);
        return (
          <tr key={id}>
            <th scope="row">
              {id} <span class="quiet small">{subjectOf(objective)}</span>
            </th>
            <td class="number">
              {percent(targetRatio, 3)} <span class="quiet small">{duration(windowMs)}</span>
            </td>
            <td>
              <Bar
                ratio={budgetLeftRatio}
                label={leftInWords(objective)}
                tone={budgetLeftRatio < 0.1 ? "bad" : budgetLeftRatio < 0.5 ? "warn" : "ok"}
              />
            </td>
            <td class="number">{rate(burn[0]?.longBurnRate ?? 0)}×</td>
            <td>
              {burning === undefined ? (
                <Badge tone="ok">holds</Badge>
              ) : (
                <Badge tone={burning.severity === "page" ? "bad" : "warn"}>burning, {burning.severity}</Badge>
              )}
            </td>
          </tr>
        );
      })}
    </Table>
  );
}
