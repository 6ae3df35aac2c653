/** What the gateway is compared with, in the same runtime and behind the same kind of socket. */

/** Answers at once: what the runtime and its HTTP cost here by themselves, and how long its collections of garbage stop it. */
export const ANSWERS_ITSELF = `
export default {
  fetch() {
    return new Response("hello");
  },
};
`;

/** Does nothing but forward. */
export const PASS_THROUGH = `
export default {
  fetch(request, env) {
    const url = new URL(request.url);
    return fetch(env.ORIGIN_URL + url.pathname + url.search, request);
  },
};
`;

/** Today's usual strict design: one Durable Object asked for each request, its bucket stored before it answers. */
export const OBJECT_PER_REQUEST = `
import { DurableObject } from "cloudflare:workers";
export class Bucket extends DurableObject {
  constructor(state, env) {
    super(state, env);
    state.storage.sql.exec("CREATE TABLE IF NOT EXISTS bucket (id INTEGER PRIMARY KEY, tokens REAL, at INTEGER)");
    const [row] = state.storage.sql.exec("SELECT tokens, at FROM bucket").toArray();
    this.tokens = row?.tokens ?? 1e6;
    this.at = row?.at ?? Date.now();
  }
  take() {
    const now = Date.now();
    this.tokens = Math.min(1e6, this.tokens + (now - this.at) * 1000);
    this.at = now;
    const admitted = this.tokens >= 1;
    if (admitted) this.tokens -= 1;
    this.ctx.storage.sql.exec("INSERT OR REPLACE INTO bucket (id, tokens, at) VALUES (1, ?, ?)", this.tokens, this.at);
    return admitted;
  }
}
export default {
  async fetch(request, env) {
    const stub = env.BUCKET.get(env.BUCKET.idFromName("tenant"));
    if (!(await stub.take())) return new Response("too many requests", { status: 429 });
    const url = new URL(request.url);
    return fetch(env.ORIGIN_URL + url.pathname + url.search, request);
  },
};
`;
