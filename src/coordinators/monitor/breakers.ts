/**
 * How the breakers are, for those who watch: asked of the Origin objects every ASK_EVERY_MS while somebody does, and heard
 * from them at once when one changes. Nobody waits for it: a tick has what was last heard.
 */
import type { Env } from "../../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../../platform/coordinators.ts";
import type { BreakerNews, LiveTick } from "../../protocol/monitor.ts";
import { originObjectName } from "../../protocol/origin.ts";

const ASK_EVERY_MS = 2_000;
const DEADLINE_MS = 1_000;

type Breaker = LiveTick["breakers"][number];

export class Breakers {
  readonly #env: Env;
  #breakers = new Map<string, Breaker>();
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  /** What they say is newer than what was asked. */
  readonly #heardWhileAsking = new Set<string>();

  constructor(env: Env) {
    this.#env = env;
  }

  list(): readonly Breaker[] {
    return [...this.#breakers.values()];
  }

  hear({ originId, pop, transition }: BreakerNews): void {
    if (pop !== undefined) return;
    const { to, score } = transition;
    this.#breakers.set(originId, { origin: originId, ...stateOf(to), score });
    this.#heardWhileAsking.add(originId);
  }

  /** Undefined: it is not time. */
  ask(origins: readonly string[], nowMs: number): Promise<void> | undefined {
    if (this.#isAsking || Math.abs(nowMs - this.#askedAtMs) < ASK_EVERY_MS) return undefined;
    this.#askedAtMs = nowMs;
    this.#isAsking = true;
    this.#heardWhileAsking.clear();
    return this.#askAll(origins);
  }

  async #askAll(origins: readonly string[]): Promise<void> {
    const breakers = await Promise.all(origins.map((origin) => this.#askOne(origin)));
    const heard = this.#breakers;
    this.#breakers = new Map(
      breakers.map((asked) => {
        const { origin } = asked;
        return [origin, (this.#heardWhileAsking.has(origin) ? heard.get(origin) : undefined) ?? asked];
      }),
    );
    this.#isAsking = false;
  }

  async #askOne(origin: string): Promise<Breaker> {
    try {
      const call = callCoordinator(this.#env, "ORIGIN", originObjectName(origin), "status", { v: 1 });
      const { view, score } = await withDeadline(call, DEADLINE_MS);
      return { origin, ...stateOf(view?.state ?? "closed"), score };
    } catch {
      // Told to those who watch.
      return { origin, state: "unreachable", score: 0, forced: false };
    }
  }
}

const FORCED = "forced-";

function stateOf(state: string): Pick<Breaker, "state" | "forced"> {
  const forced = state.startsWith(FORCED);
  return { state: forced ? state.slice(FORCED.length) : state, forced };
}
