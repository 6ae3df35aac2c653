/** One limit of one tenant, raised or lowered for a while: filled in with twice as much for an hour. */
import type { VNode } from "preact";
import type { LimitView } from "../../src/admin/contract.ts";
import { call, pathOf } from "../api.ts";
import { type Parts, partsOf } from "../model/limit-words.ts";
import { Action, numberOf, ReasonField, SpanField, TextField, textOf } from "./action.tsx";

interface OverrideProps {
  readonly tenant: string;
  readonly limit: LimitView;
  readonly after: () => void;
}

export function Override({ tenant, limit, after }: OverrideProps): VNode | null {
  const parts = partsOf(limit.inForce);
  if (parts === undefined) return null;
  const act = (fields: FormData): ReturnType<typeof call> =>
    call("PUT", pathOf`/tenants/${tenant}/overrides/${limit.limit}`, {
      body: { ...bodyOf(parts, fields), forMs: numberOf(fields, "forMs"), reason: textOf(fields, "reason") },
    });
  return (
    <Action
      label="Override…"
      title={`Override ${limit.limit} of ${tenant}`}
      confirm="Apply override"
      act={act}
      done={`${limit.limit} of ${tenant} is overridden.`}
      after={after}
    >
      <p>
        Now {limit.inForce}. It holds within seconds, and ends by itself; then {limit.configured} again.
      </p>
      <div class="fields">
        <Numbers parts={parts} />
      </div>
      <SpanField />
      <ReasonField />
    </Action>
  );
}

function Numbers({ parts }: { readonly parts: Parts }): VNode {
  switch (parts.kind) {
    case "bucket":
      return (
        <>
          <TextField name="rate" label="Rate" value={`${parts.rate * 2}/${parts.unit}`} required maxLength={32} />
          <TextField name="burst" label="Burst, tokens" value={String(parts.burst * 2)} required type="number" />
        </>
      );
    case "quota":
      return (
        <TextField
          name="quota"
          label={`Tokens per ${parts.period}`}
          value={String(parts.quota * 2)}
          required
          type="number"
        />
      );
    case "slots":
      return <TextField name="slots" label="At once" value={String(parts.slots * 2)} required type="number" />;
  }
}

function bodyOf({ kind }: Parts, fields: FormData): object {
  switch (kind) {
    case "bucket":
      return { rate: textOf(fields, "rate"), burst: numberOf(fields, "burst") };
    case "quota":
      return { quota: numberOf(fields, "quota") };
    case "slots":
      return { slots: numberOf(fields, "slots") };
  }
}

export const EndOverride = ({
  tenant,
  limit,
  after,
}: {
  readonly tenant: string;
  readonly limit: string;
  readonly after: () => void;
}): VNode => (
  <Action
    label="End…"
    title={`End the override of ${limit}`}
    confirm="End override"
    act={() => call("DELETE", pathOf`/tenants/${tenant}/overrides/${limit}`)}
    done={`${limit} of ${tenant} is as configured.`}
    after={after}
  >
    <p>The limit is as configured again, within seconds.</p>
  </Action>
);
