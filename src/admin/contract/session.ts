/** Who calls, and a browser's session: what its cookie stands for. */
import * as z from "zod";
import { role, timeMs } from "./common.ts";

export const sessionView = z
  .object({
    id: z.string().describe("Of the token, or `root`."),
    name: z.string(),
    role,
    tenants: z.array(z.string()).readonly().nullable().describe("Null: not limited to some."),
    expiresAtMs: timeMs.nullable().describe("When the session ends; null: there is none, a token was shown."),
  })
  .readonly();
export type SessionView = z.infer<typeof sessionView>;

export const endedSession = z.object({ ended: z.literal(true) }).readonly();
