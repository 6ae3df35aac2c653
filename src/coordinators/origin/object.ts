import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";

export class Origin extends DurableObject<Env> {}
