/**
 * Something that changes the gateway: a button, and the dialog it opens, which says what will happen and asks what it must
 * know. Nothing is done by one press; what the gateway refuses is said in the dialog, which then stays.
 */
import type { ComponentChildren, TargetedEvent, VNode } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import type { Refused, Reply } from "../api.ts";
import { say } from "../state/said.ts";
import { Problem } from "./small.tsx";

export interface ActionProps {
  /** Of the button that opens it. */
  readonly label: string;
  readonly title: string;
  /** What will happen, and what is asked: fields by name. */
  readonly children: ComponentChildren;
  /** Of the button that does it. */
  readonly confirm: string;
  readonly danger?: boolean;
  readonly look?: "plain" | "primary";
  readonly act: (fields: FormData) => Promise<Reply<unknown>>;
  /** Said when it is done. */
  readonly done: string;
  readonly after?: () => void;
}

export function Action(props: ActionProps): VNode {
  const open = useSignal(false);
  return (
    <>
      <button
        type="button"
        class={props.look ?? ""}
        aria-haspopup="dialog"
        onClick={() => {
          open.value = true;
        }}
      >
        {props.label}
      </button>
      {open.value && (
        <ActionDialog
          {...props}
          close={() => {
            open.value = false;
          }}
        />
      )}
    </>
  );
}

function ActionDialog(props: ActionProps & { readonly close: () => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const busy = useSignal(false);
  const refused = useSignal<Refused | undefined>(undefined);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const submit = (event: TargetedEvent<HTMLFormElement, SubmitEvent>): void => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    void props.act(new FormData(event.currentTarget)).then((reply) => {
      busy.value = false;
      if (reply.kind === "refused") {
        refused.value = reply;
        return;
      }
      say(props.done);
      dialog.current?.close();
      props.after?.();
    });
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={props.close}>
      <form onSubmit={submit}>
        <h2 id={id}>{props.title}</h2>
        {props.children}
        {refused.value !== undefined && <Problem refused={refused.value} />}
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={props.danger === true ? "danger" : "primary"} disabled={busy.value}>
            {props.confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A text of the form; "" where there is none. */
export function textOf(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? value.trim() : "";
}

/** A number of the form; undefined where none was given. */
export function numberOf(fields: FormData, name: string): number | undefined {
  const text = textOf(fields, name);
  return text === "" ? undefined : Number(text);
}

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
}

export function TextField({
  name,
  label,
  hint,
  value,
  required = false,
  maxLength = 500,
  type = "text",
}: FieldProps & {
  readonly value?: string;
  readonly required?: boolean;
  readonly maxLength?: number;
  readonly type?: "text" | "number";
}): VNode {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        inputMode={type === "number" ? "numeric" : undefined}
        pattern={type === "number" ? "[1-9][0-9]*" : undefined}
        defaultValue={value ?? ""}
        required={required}
        maxLength={maxLength}
        autocomplete="off"
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
      />
      {hint !== undefined && (
        <span id={`${id}-hint`} class="quiet small">
          {hint}
        </span>
      )}
    </div>
  );
}

export const ReasonField = (): VNode => (
  <TextField name="reason" label="Reason" hint="Kept in the history and the audit." required />
);

export const SPANS = [
  [600_000, "10 minutes"],
  [1_800_000, "30 minutes"],
  [3_600_000, "1 hour"],
  [14_400_000, "4 hours"],
  [86_400_000, "1 day"],
  [604_800_000, "7 days"],
] as const;

export const SpanField = ({
  label = "For",
  ms = 3_600_000,
}: {
  readonly label?: string;
  readonly ms?: number;
}): VNode => (
  <SelectField
    name="forMs"
    label={label}
    options={SPANS.map(([value, text]) => [String(value), text])}
    value={String(ms)}
  />
);

export function SelectField({
  name,
  label,
  options,
  value,
  onChange,
}: FieldProps & {
  readonly options: readonly (readonly [string, string])[];
  readonly value?: string;
  readonly onChange?: (value: string) => void;
}): VNode {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        name={name}
        onChange={(event) => {
          onChange?.(event.currentTarget.value);
        }}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
