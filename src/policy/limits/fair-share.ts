/**
 * Max-min fair shares: nobody gets more than it wants, and what is left is shared equally among those who want more.
 * Returns the share of `mine` when `supply` is divided among `mine` and `others` (all >= 0, any unit).
 * Cost: O(n log n). Source: Bertsekas and Gallager, Data Networks, section 6.5.2.
 */
export function fairShare(supply: number, mine: number, others: readonly number[]): number {
  let left = supply;
  let claimants = others.length + 1;
  for (const wanted of others.toSorted((a, b) => a - b)) {
    const level = left / claimants;
    if (wanted >= level || wanted >= mine) break;
    left -= wanted;
    claimants--;
  }
  return Math.min(mine, left / claimants);
}
