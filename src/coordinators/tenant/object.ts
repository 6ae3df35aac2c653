import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../platform/bindings.ts";

export class Tenant extends DurableObject<Env> {}
