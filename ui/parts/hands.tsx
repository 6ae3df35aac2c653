/** What an operator may press about one breaker: trip, hold closed, reset. */
import type { VNode } from "preact";
import { call, pathOf } from "../api.ts";
import { may } from "../state/session.ts";
import { Action, numberOf, ReasonField, SpanField, textOf } from "./action.tsx";

export function Hands({ origin, refresh }: { readonly origin: string; readonly refresh: () => void }): VNode | null {
  if (!may("operator")) return null;
  const force = (state: "open" | "closed") => (fields: FormData) =>
    call("POST", pathOf`/breakers/${origin}/trip`, {
      body: { state, reason: textOf(fields, "reason"), forMs: numberOf(fields, "forMs") },
    });
  return (
    <div class="hands">
      <Action
        label="Trip…"
        title={`Hold the breaker of ${origin} open`}
        confirm={`Trip ${origin}`}
        danger
        act={force("open")}
        done={`${origin} is held open.`}
        after={refresh}
      >
        <p>No request reaches this origin, from anywhere: callers get what the ladder has. It ends by itself.</p>
        <SpanField ms={600_000} />
        <ReasonField />
      </Action>
      <Action
        label="Hold closed…"
        title={`Hold the breaker of ${origin} closed`}
        confirm={`Hold ${origin} closed`}
        danger
        act={force("closed")}
        done={`${origin} is held closed.`}
        after={refresh}
      >
        <p>Every request is sent to this origin, however it fails. It ends by itself.</p>
        <SpanField ms={600_000} />
        <ReasonField />
      </Action>
      <Action
        label="Reset…"
        title={`Reset the breaker of ${origin}`}
        confirm={`Reset ${origin}`}
        act={(fields) =>
          call("POST", pathOf`/breakers/${origin}/reset`, { body: { reason: textOf(fields, "reason") } })
        }
        done={`${origin} was reset.`}
        after={refresh}
      >
        <p>It is closed, its evidence forgotten, and held by nobody. If the origin still fails it opens again.</p>
        <ReasonField />
      </Action>
    </div>
  );
}
