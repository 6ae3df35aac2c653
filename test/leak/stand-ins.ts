/** Coordinators and stores that answer at once and keep what they are given; what they decide is decided by Weir's policies. */
import { newBreaker } from "../../src/policy/breaker/state-machine.ts";
import { BREAKER_DEFAULTS } from "../../src/policy/breaker/types.ts";
import { viewOf } from "../../src/policy/breaker/view.ts";
import { judgeSnapshot, type SnapshotMark } from "../../src/policy/cache/snapshot.ts";
import { answerLease, type LeaseBook, newLeaseBook } from "../../src/policy/limits/lease-replies.ts";
import type { CoordinatorGateway, CoordinatorKind } from "../../src/platform/bindings.ts";
import type { OriginProtocol } from "../../src/protocol/origin.ts";
import type { LeaseReply, LeaseRequest } from "../../src/protocol/tenant.ts";

type Told<Method extends keyof OriginProtocol> = Parameters<OriginProtocol[Method]>[0];

export class StandIns implements CoordinatorGateway {
  readonly #now: () => number;
  readonly #books = new Map<string, LeaseBook>();
  readonly #revoked = new Map<string, string[]>();
  /** URL -> variant -> its mark. */
  readonly #snapshots = new Map<string, Map<string, SnapshotMark>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  revoke(objectName: string, keyId: string): void {
    this.#revoked.set(objectName, [...(this.#revoked.get(objectName) ?? []), keyId]);
  }

  async call(kind: CoordinatorKind, name: string, method: string, told: unknown): Promise<unknown> {
    if (kind === "TENANT" && method === "lease") return this.#lease(name, told as LeaseRequest);
    if (kind === "METRICS") throw new Error("nothing is flushed");
    switch (method) {
      case "report":
        return {
          seq: (told as Told<"report">).seq,
          view: viewOf(newBreaker(BREAKER_DEFAULTS, this.#now()), (told as Told<"report">).pop, this.#now()),
        };
      case "snapshot":
        return this.#offer(told as Told<"snapshot">);
      case "retireSnapshot": {
        const { url } = told as Told<"retireSnapshot">;
        const variants = [...(this.#snapshots.get(url)?.keys() ?? [])];
        this.#snapshots.delete(url);
        return { variants: variants.length === 0 ? [] : [url, ...variants] };
      }
      case "hasSnapshot":
        return { stands: this.#snapshots.has((told as Told<"hasSnapshot">).url) };
      default:
        throw new Error(`nobody stands in for ${kind}.${method}`);
    }
  }

  #lease(name: string, request: LeaseRequest): LeaseReply {
    const book = this.#books.get(name) ?? newLeaseBook();
    this.#books.set(name, book);
    const answer = answerLease(book, request, this.#now());
    if (answer.kind !== "decided") throw new Error(answer.kind);
    const revokedKeyIds = this.#revoked.get(name) ?? [];
    const record = { version: 1 + revokedKeyIds.length, revokedKeyIds };
    return {
      kind: "granted",
      seq: request.seq,
      ...answer.decision,
      record: record.version > request.recordVersion ? record : undefined,
    };
  }

  #offer({ url, variant, fingerprint, intervalMs }: Told<"snapshot">): unknown {
    const known = this.#snapshots.get(url) ?? new Map<string, SnapshotMark>();
    const verdict = judgeSnapshot(known.get(variant), fingerprint, intervalMs, this.#now());
    if (verdict.write) this.#snapshots.set(url, known.set(variant, { fingerprint, writtenAtMs: this.#now() }));
    return verdict;
  }
}

/** In the place of the PoP's cache. */
export class MemoryCache {
  readonly #stored = new Map<string, { readonly body: ArrayBuffer; readonly headers: Headers }>();

  async match(url: string): Promise<Response | undefined> {
    const found = this.#stored.get(url);
    return found === undefined ? undefined : new Response(found.body, { headers: found.headers });
  }

  async put(url: string, response: Response): Promise<void> {
    this.#stored.set(url, { body: await response.arrayBuffer(), headers: response.headers });
  }

  async delete(url: string): Promise<boolean> {
    return this.#stored.delete(url);
  }
}

/** In the place of KV. */
export function memoryKv(): KVNamespace {
  const stored = new Map<string, ArrayBuffer>();
  // oxlint-disable-next-line typescript/no-unnecessary-type-assertion -- the linter does not see the runtime's types here
  return {
    get: async (name: string) => stored.get(name)?.slice(0) ?? null,
    put: async (name: string, value: ArrayBuffer) => void stored.set(name, value.slice(0)),
    delete: async (name: string) => void stored.delete(name),
  } as unknown as KVNamespace;
}
