/** An origin in virtual time: sound, failing fast, hanging, failing for a share of calls, or failing for one PoP. */
export type OriginState =
  | { readonly kind: "sound" }
  /** Refuses at once. */
  | { readonly kind: "dead" }
  /** Never answers: calls end at their timeout. */
  | { readonly kind: "black-hole" }
  | { readonly kind: "failing"; readonly ratio: number }
  /** Answers, but later. */
  | { readonly kind: "slower"; readonly afterMs: number }
  | { readonly kind: "dead-for-pop"; readonly pop: number };

export interface OriginAnswer {
  readonly failed: boolean;
  readonly afterMs: number;
}

const FAST_MS = 20;
const SPREAD_MS = 60;
export const TRY_TIMEOUT_MS = 3_000;

export function answerOf(state: OriginState, pop: number, random: () => number): OriginAnswer {
  const afterMs = Math.ceil(FAST_MS + SPREAD_MS * random());
  switch (state.kind) {
    case "sound":
      return { failed: random() < 0.005, afterMs };
    case "dead":
      return { failed: true, afterMs: FAST_MS };
    case "black-hole":
      return { failed: true, afterMs: TRY_TIMEOUT_MS };
    case "failing":
      return { failed: random() < state.ratio, afterMs };
    case "slower":
      return { failed: false, afterMs: state.afterMs };
    case "dead-for-pop":
      return { failed: state.pop === pop, afterMs };
  }
}
