/** Log-in by token. It goes to the gateway once, in a header, and is kept nowhere: the browser gets a cookie for it. */
import type { TargetedEvent, VNode } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Refused } from "../api.ts";
import { logIn } from "../state/session.ts";

export function LogIn({ ended }: { readonly ended: boolean }): VNode {
  const problem = useSignal<string | undefined>(undefined);
  const busy = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.focus();
  }, []);
  const submit = (event: TargetedEvent<HTMLFormElement, SubmitEvent>): void => {
    event.preventDefault();
    const token = field.current?.value.trim() ?? "";
    if (token === "" || busy.value) return;
    busy.value = true;
    void logIn(token).then((refused) => {
      busy.value = false;
      problem.value = refused === undefined ? undefined : wordsFor(refused);
      field.current?.select();
    });
  };
  return (
    <main class="alone">
      <h1 class="mark">Weir</h1>
      {ended && <p class="note">Your session is over: it ran out, or its token was revoked.</p>}
      <form onSubmit={submit}>
        <label for="token">Admin token</label>
        <input id="token" ref={field} type="password" autocomplete="off" spellcheck={false} required maxLength={512} />
        <p class="problem" role="alert">
          {problem.value}
        </p>
        <button type="submit" class="primary" disabled={busy.value}>
          Log in
        </button>
      </form>
      <p class="quiet">
        Made with <code>weir tokens create NAME --role operator</code>. A session lasts eight hours.
      </p>
    </main>
  );
}

function wordsFor({ status, title, retryAfterSeconds }: Refused): string {
  if (status === 401 || status === 404) return "That is not a token that holds here.";
  if (status === 429) return `Too many attempts from this address: wait ${retryAfterSeconds ?? 60} s.`;
  return `${title}.`;
}
