/** The shell: who is logged in, where we are, what is around every page. */
import type { ComponentChildren, VNode } from "preact";
import { useEffect } from "preact/hooks";
import { LogIn } from "./pages/log-in.tsx";
import { Frame } from "./parts/frame.tsx";
import { askWho, session } from "./state/session.ts";

export function App(): VNode {
  useEffect(() => {
    void askWho();
  }, []);
  const { value } = session;
  switch (value.kind) {
    case "asking":
      return <Alone>Asking the gateway who you are…</Alone>;
    case "unreachable":
      return (
        <Alone>
          <p role="alert">{value.refused.title}.</p>
          <button type="button" onClick={() => void askWho()}>
            Try again
          </button>
        </Alone>
      );
    case "out":
      return <LogIn ended={value.ended} />;
    case "in":
      return <Frame who={value.who} />;
  }
}

const Alone = ({ children }: { readonly children: ComponentChildren }): VNode => (
  <main class="alone">
    <h1 class="mark">Weir</h1>
    {children}
  </main>
);
