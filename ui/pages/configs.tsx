/** Configs: the log of versions, what changed between two, and the way back. */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { ConfigContentReply, ConfigHistoryReply, ConfigVersionView } from "../../src/admin/contract.ts";
import { call, pathOf } from "../api.ts";
import { count, percent } from "../model/format.ts";
import { type DiffLine, diffLines, folded } from "../model/diff.ts";
import { Action, TextField, textOf } from "../parts/action.tsx";
import { ACTIONS, Badge, Empty, PageHead, Panel, Reading, Table, Time } from "../parts/small.tsx";
import { useQuery } from "../state/query.ts";
import { may } from "../state/session.ts";

const SHOWN = 50;

export function Configs(): VNode {
  const history = useQuery<ConfigHistoryReply>(`/configs?limit=${SHOWN}`, 5_000);
  /** The older one first; undefined: as it is told by what is in force. */
  const chosen = useSignal<readonly [number, number] | undefined>(undefined);
  return (
    <>
      <PageHead title="Configs" />
      <Reading of={history}>
        {(value) => {
          const compared = chosen.value ?? newestTwo(value);
          return (
            <>
              {value.trial !== null && <Trial trial={value.trial} refresh={history.refresh} />}
              <Panel title="Versions">
                <Versions
                  history={value}
                  compared={compared}
                  choose={(pair) => {
                    chosen.value = pair;
                  }}
                  refresh={history.refresh}
                />
              </Panel>
              <Panel title={compared === undefined ? "What changed" : `From ${compared[0]} to ${compared[1]}`}>
                {compared === undefined ? <Empty>There is one version: nothing to compare.</Empty> : <Diff of={compared} />}
              </Panel>
            </>
          );
        }}
      </Reading>
    </>
  );
}

function newestTwo({ versions }: ConfigHistoryReply): readonly [number, number] | undefined {
  const [newest, before] = versions;
  return newest === undefined || before === undefined ? undefined : [before.number, newest.number];
}

interface VersionsProps {
  readonly history: ConfigHistoryReply;
  readonly compared: readonly [number, number] | undefined;
  readonly choose: (pair: readonly [number, number]) => void;
  readonly refresh: () => void;
}

function Versions({ history, compared, choose, refresh }: VersionsProps): VNode {
  const { versions, inForce, trial } = history;
  if (versions.length === 0) return <Empty>Nothing was applied yet: the bundle's config is in force.</Empty>;
  return (
    <Table label="Versions of the config" columns={["Version", "State", "When", "By", "Why", ACTIONS]}>
          {versions.map((version, index) => (
            <tr key={version.number}>
              <th scope="row">{version.number}</th>
              <td>
                {version.number === inForce?.number && <Badge tone="ok">in force</Badge>}
                {version.number === trial?.number && <Badge tone="info">on trial</Badge>}
              </td>
              <td>
                <Time ms={version.atMs} />
              </td>
              <td class="words">{version.author}</td>
              <td class="words">
                {version.message}{" "}
                <span class="quiet small">
                  {version.source}
                  {version.contentOf !== null && ` of ${version.contentOf}`}
                </span>
              </td>
              <td class="row-actions">
                <Compare version={version} before={versions[index + 1]} compared={compared} choose={choose} />
                {may("admin") && inForce !== null && version.number !== inForce.number && (
                  <RollBack version={version} inForce={inForce.number} after={refresh} />
                )}
              </td>
            </tr>
          ))}
        </Table>
  );
}

const Compare = ({
  version,
  before,
  compared,
  choose,
}: {
  readonly version: ConfigVersionView;
  readonly before: ConfigVersionView | undefined;
  readonly compared: readonly [number, number] | undefined;
  readonly choose: (pair: readonly [number, number]) => void;
}): VNode | null =>
  before === undefined ? null : (
    <button
      type="button"
      aria-pressed={compared?.[0] === before.number && compared[1] === version.number}
      onClick={() => {
        choose([before.number, version.number]);
      }}
    >
      Diff<span class="hidden-text"> of version {version.number}</span>
    </button>
  );

/** Of two who do it at once the second is told: it names the version that was seen in force. */
const RollBack = ({
  version,
  inForce,
  after,
}: {
  readonly version: ConfigVersionView;
  readonly inForce: number;
  readonly after: () => void;
}): VNode => (
  <Action
    label="Roll back…"
    title={`Roll back to version ${version.number}`}
    confirm={`Put ${version.number} in force`}
    danger
    act={(fields) =>
      call("POST", "/configs/rollback", {
        body: { number: version.number, message: textOf(fields, "message") },
        headers: { "if-match": `"${inForce}"` },
      })
    }
    done={`The content of version ${version.number} is in force.`}
    after={after}
  >
    <p>
      Its content replaces that of version {inForce} within five seconds, everywhere, as a new version. A trial ends with it.
    </p>
    <TextField name="message" label="Why" hint="Kept in the history." required />
  </Action>
);

function Trial({
  trial,
  refresh,
}: {
  readonly trial: NonNullable<ConfigHistoryReply["trial"]>;
  readonly refresh: () => void;
}): VNode {
  const { number, shareRatio, endsAtMs, arms } = trial;
  const end = (promote: boolean) => (fields: FormData) =>
    call("POST", "/configs/trial/end", { body: { promote, message: textOf(fields, "message") } });
  const ends = [
    { promote: true, label: "Give it to everybody…", confirm: "Give it to everybody" },
    { promote: false, label: "Take it back…", confirm: "Take it back" },
  ];
  return (
    <Panel
      title={`Version ${number} is on trial`}
      actions={
        may("admin") &&
        ends.map(({ promote, label, confirm }) => (
          <Action
            key={label}
            label={label}
            title={`End the trial of version ${number}`}
            confirm={confirm}
            act={end(promote)}
            done="The trial has ended."
            after={refresh}
          >
            <TextField name="message" label="Why" required />
          </Action>
        ))
      }
    >
      <p>
        {percent(shareRatio)} of the callers have it until <Time ms={endsAtMs} />.
      </p>
      <p class="small">
        {(["canary", "control"] as const)
          .map((arm) => {
            const { requests, failed, throttled } = arms[arm];
            return `${arm}: ${count(requests)} requests, ${count(failed)} failed, ${count(throttled)} throttled`;
          })
          .join("; ")}
      </p>
    </Panel>
  );
}

function Diff({ of: [from, to] }: { readonly of: readonly [number, number] }): VNode {
  const before = useQuery<ConfigContentReply>(pathOf`/configs/${from}`);
  const after = useQuery<ConfigContentReply>(pathOf`/configs/${to}`);
  return (
    <Reading of={before}>
      {(old) => <Reading of={after}>{(recent) => <Changes before={old} after={recent} />}</Reading>}
    </Reading>
  );
}

function Changes({
  before,
  after,
}: {
  readonly before: ConfigContentReply;
  readonly after: ConfigContentReply;
}): VNode {
  if (before.text === null || after.text === null) return <Empty>One of them brought no text: it came with a deploy.</Empty>;
  const pages = [...new Set([...Object.keys(before.pages), ...Object.keys(after.pages)])].filter(
    (name) => before.pages[name] !== after.pages[name],
  );
  const lines = diffLines(before.text, after.text);
  const changed = lines.filter(({ kind }) => kind !== "same").length;
  return (
    <>
      <p class="small quiet">
        {changed === 0 ? "The text is the same." : `${count(changed)} lines differ.`}
        {pages.length > 0 && ` Pages that differ: ${pages.join(", ")}.`}
      </p>
      {changed > 0 && <Lines lines={folded(lines)} />}
    </>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−" } as const;

const Lines = ({ lines }: { readonly lines: readonly (DiffLine | number)[] }): VNode => (
  <div class="diff" role="region" aria-label="Lines that differ" tabIndex={0}>
    <table>
      <tbody>
        {lines.map((line, index) =>
          typeof line === "number" ? (
            <tr key={`fold ${index}`} class="folded">
              <td colSpan={4}>{count(line)} lines are the same</td>
            </tr>
          ) : (
            <tr key={`${line.before} ${line.after}`} class={line.kind}>
              <td class="line-number">{line.before}</td>
              <td class="line-number">{line.after}</td>
              <td>
                <span class="hidden-text">{line.kind === "same" ? "" : line.kind}</span>
                <span aria-hidden="true">{SIGNS[line.kind]}</span>
              </td>
              <td>{line.text}</td>
            </tr>
          ),
        )}
      </tbody>
    </table>
  </div>
);
