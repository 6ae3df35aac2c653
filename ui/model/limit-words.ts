/** Limits as the API says them, in words: taken apart, so that a form can be filled in. Pure. */

/** What a limit in words is made of (`200/s, burst 400`, `1000 per day`, `20 at once`). */
export type Parts =
  | { readonly kind: "bucket"; readonly rate: number; readonly unit: string; readonly burst: number }
  | { readonly kind: "quota"; readonly quota: number; readonly period: string }
  | { readonly kind: "slots"; readonly slots: number };

export function partsOf(words: string): Parts | undefined {
  const [, rate, unit = "", burst] = /^([\d.]+)\/(\w+), burst ([\d.]+)$/.exec(words) ?? [];
  if (rate !== undefined) return { kind: "bucket", rate: Number(rate), unit, burst: Number(burst) };
  const [, quota, period = ""] = /^([\d.]+) per (\w+)$/.exec(words) ?? [];
  if (quota !== undefined) return { kind: "quota", quota: Number(quota), period };
  const [, slots] = /^([\d.]+) at once$/.exec(words) ?? [];
  return slots === undefined ? undefined : { kind: "slots", slots: Number(slots) };
}
