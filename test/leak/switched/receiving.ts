/** `edge/cache/receiving`, from which safeguards can be taken away. */
import * as real from "#true/edge/cache/receiving.ts";
import { without } from "../safeguards.ts";

export * from "#true/edge/cache/receiving.ts";

export const shared: typeof real.shared = (x, answer) =>
  real.shared(
    without("that failures made for one are not told to others") ? { ...x, headers: new Headers() } : x,
    answer,
  );

export const isPersonal: typeof real.isPersonal = (x) =>
  !without("that whoever has a credential hears of no other's failure") && real.isPersonal(x);

/** They only meet where all are in one flight. */
export const flightKeyOf: typeof real.flightKeyOf = (x, context) =>
  without("that failures made for one are not told to others") ||
  without("that whoever has a credential hears of no other's failure")
    ? context.key
    : real.flightKeyOf(x, context);
