import type { VNode } from "preact";
import type { SessionView } from "../../src/admin/contract.ts";
import { logOut } from "../state/session.ts";

export function Frame({ who }: { readonly who: SessionView }): VNode {
  return (
    <main class="alone">
      <h1 class="mark">Weir</h1>
      <p>
        {who.name} ({who.role})
      </p>
      <button type="button" onClick={() => void logOut()}>
        Log out
      </button>
    </main>
  );
}
