/** Everything a Worker needs that uses Weir as a library. */
export * from "./hono/index.ts";
export * from "./objects.ts";
