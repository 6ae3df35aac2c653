/**
 * The doors through which a request leaves its isolate, for one that is only explained: coordinators are asked what they
 * would say and change nothing, no origin is called. What has no such question is not asked at all.
 */
import type { CoordinatorKind, CoordinatorProtocols, Env } from "../../platform/bindings.ts";
import { callCoordinator } from "../../platform/coordinators.ts";
import type { OriginSettings } from "../../protocol/origin.ts";
import type { OriginAnswer, OriginFailed, OriginRequest } from "../call-origin.ts";

type SettingsOf = (objectName: string) => OriginSettings | undefined;
type Question = (env: Env, objectName: string, argument: never, settingsOf: SettingsOf) => Promise<unknown>;

/** Instead of each method that a stage may call. */
const QUESTIONS: Readonly<Record<string, Question>> = {
  "TENANT.lease": (env, name, request: Argument<"TENANT", "lease">) =>
    callCoordinator(env, "TENANT", name, "rehearseLease", request),
  "TENANT_INDEX.get": (env, name, request: Argument<"TENANT_INDEX", "get">) =>
    callCoordinator(env, "TENANT_INDEX", name, "get", request),
  "TENANT.record": (env, name, request: Argument<"TENANT", "record">) =>
    callCoordinator(env, "TENANT", name, "record", request),
  "ORIGIN.report": async (env, name, { pop, settings, seq }: Argument<"ORIGIN", "report">) => {
    const { view } = await callCoordinator(env, "ORIGIN", name, "look", { v: 1, pop, settings });
    return { seq, view };
  },
  "ORIGIN.probe": async (env, name, { pop }: Argument<"ORIGIN", "probe">, settingsOf) => {
    const settings = settingsOf(name);
    if (settings === undefined) throw new TypeError(`${name} is in no config`);
    const { view, givesProbe } = await callCoordinator(env, "ORIGIN", name, "look", { v: 1, pop, settings });
    return { leaseId: givesProbe ? "explained" : undefined, view };
  },
  "ORIGIN.purges": (env, name, request: Argument<"ORIGIN", "purges">) =>
    callCoordinator(env, "ORIGIN", name, "purges", request),
  "ORIGIN.hasSnapshot": (env, name, request: Argument<"ORIGIN", "hasSnapshot">) =>
    callCoordinator(env, "ORIGIN", name, "hasSnapshot", request),
};

type Argument<K extends CoordinatorKind, M extends keyof CoordinatorProtocols[K]> = CoordinatorProtocols[K][M] extends (
  argument: infer A,
) => Promise<unknown>
  ? A
  : never;

/** Its secrets, and coordinators that can only be asked. `settingsOf`: of the origin with this object's name. */
export function readOnly(env: Env, settingsOf: SettingsOf): Env {
  const call = async (
    kind: CoordinatorKind,
    objectName: string,
    method: string,
    argument: unknown,
  ): Promise<unknown> => {
    const name = `${kind}.${method}`;
    const question = Object.hasOwn(QUESTIONS, name) ? QUESTIONS[name] : undefined;
    if (question === undefined) throw new TypeError(`${name} is not asked for an explanation`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `callCoordinator` was given for this method
    return question(env, objectName, argument as never, settingsOf);
  };
  return { ...env, WAN: { call } };
}

/** For the failover rung the call fails, and for the request itself it is as if the client had gone. */
export class OriginDoor {
  readonly calls: OriginRequest[] = [];

  readonly call = async (request: OriginRequest): Promise<OriginAnswer | OriginFailed> => {
    this.calls.push(request);
    return { kind: "failed", reason: "client-gone", attempts: 0 };
  };
}
