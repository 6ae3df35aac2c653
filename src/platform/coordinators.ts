/**
 * Calls to coordinators: one method, one argument, one reply, under a deadline. The stub is made per call, because a
 * stub stays broken after its object was reset and cannot be used by another request.
 */
import type { CoordinatorKind, CoordinatorProtocols, Env } from "./bindings.ts";

export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

export class BindingMissing extends Error {
  override readonly name = "BindingMissing";
}

export type Method<K extends CoordinatorKind> = keyof CoordinatorProtocols[K] & string;
export type Argument<K extends CoordinatorKind, M extends Method<K>> = CoordinatorProtocols[K][M] extends (
  argument: infer A,
) => Promise<unknown>
  ? A
  : never;
export type Reply<K extends CoordinatorKind, M extends Method<K>> = CoordinatorProtocols[K][M] extends (
  argument: never,
) => Promise<infer R>
  ? R
  : never;

/** Calls `method` on the object called `objectName`. Rejects with whatever the runtime or the object throws. */
export function callCoordinator<K extends CoordinatorKind, M extends Method<K>>(
  env: Env,
  kind: K,
  objectName: string,
  method: M,
  argument: Argument<K, M>,
): Promise<Reply<K, M>> {
  // oxlint-disable typescript/no-unsafe-type-assertion -- a remote's shape is what the protocol says; the envelopes carry versions
  if (env.WAN !== undefined) return env.WAN.call(kind, objectName, method, argument) as Promise<Reply<K, M>>;
  const namespace = env[kind];
  if (namespace === undefined) return Promise.reject(new BindingMissing(`the binding ${kind} is missing`));
  const stub = namespace.get(namespace.idFromName(objectName)) as unknown as Record<
    M,
    (argument: Argument<K, M>) => Promise<Reply<K, M>>
  >;
  // oxlint-enable typescript/no-unsafe-type-assertion
  // A stub's property is itself a remote: calling it is the only thing to do with it.
  return stub[method](argument);
}

/** Resolves or rejects like `promise`, or rejects with `DeadlineExceeded` after `deadlineMs`. */
export function withDeadline<T>(promise: Promise<T>, deadlineMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new DeadlineExceeded(`no reply within ${deadlineMs} ms`));
    }, deadlineMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
