/**
 * What somebody who watches live decisions is sent of them: those that a filter lets through, and of too many an even
 * sample of so many for each flush (algorithm R), with how many there were. So what is shown has a stated rate.
 *
 * Bounds: `most` decisions are kept, however many come. Cost of a decision: a few comparisons for each listener, nothing
 * where there is none. `random` in [0, 1). Source: Vitter, "Random sampling with a reservoir" (1985).
 */

/** One request, as it was decided. Has no credential, no header, no query and no control character. */
export interface Decision {
  readonly atMs: number;
  readonly requestId: string;
  /** Null: nobody was found out. */
  readonly tenant: string | null;
  readonly route: string | null;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly outcome: string;
  readonly served: string | null;
  readonly refusal: string | null;
  readonly decidedBy: string | null;
  /** Names of the limits that were used up. */
  readonly violated: readonly string[];
  readonly durationMs: number;
  readonly pop: string;
}

/** What is left out lets everything through. */
export interface TailFilter {
  readonly tenants?: readonly string[] | undefined;
  readonly route?: string | undefined;
  /** `429`, or `4xx` for all of a class. */
  readonly status?: string | undefined;
  readonly outcome?: string | undefined;
}

export function matches({ tenants, route, status, outcome }: TailFilter, decision: Decision): boolean {
  if (outcome !== undefined && decision.outcome !== outcome) return false;
  if (status !== undefined && !isOfStatus(status, decision.status)) return false;
  if (route !== undefined && decision.route !== route) return false;
  return tenants === undefined || (decision.tenant !== null && tenants.includes(decision.tenant));
}

const isOfStatus = (wanted: string, status: number): boolean =>
  wanted.endsWith("xx") ? wanted === `${Math.floor(status / 100)}xx` : wanted === String(status);

export interface Sample {
  /** Let through since the sample was taken last. */
  matched: number;
  readonly kept: Decision[];
}

export const newSample = (): Sample => ({ matched: 0, kept: [] });

/** Each of all that come has the same chance to be among the `most` that are kept. */
export function offer(sample: Sample, decision: Decision, most: number, random: number): void {
  sample.matched++;
  if (sample.kept.length < most) {
    sample.kept.push(decision);
    return;
  }
  const place = Math.floor(random * sample.matched);
  if (place < most) sample.kept[place] = decision;
}
