/** Asking coordinators of origins, for routes that concern several of them. */
import { onTrial } from "../policy/rollout/rollout.ts";
import { originObjectName } from "../protocol/origin.ts";

/** An origin that a config on trial changes has a coordinator of its own, now or later: what is placed is placed there, too. */
export const objectsOf = (originId: string): readonly string[] => [originId, onTrial(originId)].map(originObjectName);

/** Everything that was answered, and who did not answer. */
export async function askEach<Reply>(
  origins: readonly string[],
  ask: (id: string) => Promise<Reply>,
): Promise<{ readonly reached: readonly Reply[]; readonly unreachable: readonly string[] }> {
  const asked = await Promise.allSettled(origins.map(ask));
  return {
    reached: asked.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])),
    unreachable: origins.filter((_, index) => asked[index]?.status === "rejected"),
  };
}
