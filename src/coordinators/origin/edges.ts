/** The edges that report: the number of each one's last report, and the calls it had under way then. */
interface Heard {
  readonly seq: number;
  readonly underWay: number;
  readonly atMs: number;
}

/** In the order in which they were heard; the longest silent are forgotten. */
const MAX_EDGES = 5_000;
/** An edge with calls under way reports every second. */
const SILENT_AFTER_MS = 5_000;

export class Edges {
  readonly #heard = new Map<string, Heard>();
  #underWay = 0;

  /** False: this report, or a later one, has been heard before. */
  hear(
    { edgeId, seq, underWay }: { readonly edgeId: string; readonly seq: number; readonly underWay: number },
    nowMs: number,
  ): boolean {
    const known = this.#heard.get(edgeId);
    if (known !== undefined && seq <= known.seq) return false;
    this.#heard.delete(edgeId);
    this.#heard.set(edgeId, { seq, underWay, atMs: nowMs });
    this.#underWay += underWay - (known?.underWay ?? 0);
    for (const [oldest, heard] of this.#heard) {
      if (this.#heard.size <= MAX_EDGES) break;
      this.#heard.delete(oldest);
      this.#underWay -= heard.underWay;
    }
    return true;
  }

  /** Calls under way, as last heard; what silent edges said no longer counts. */
  underWay(nowMs: number): number {
    for (const [edgeId, heard] of this.#heard) {
      if (Math.abs(nowMs - heard.atMs) <= SILENT_AFTER_MS) break;
      if (heard.underWay === 0) continue;
      this.#heard.set(edgeId, { ...heard, underWay: 0 });
      this.#underWay -= heard.underWay;
    }
    return this.#underWay;
  }
}
