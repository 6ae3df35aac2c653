/** What we use of the public HTTP cache tests, which come without types. */
declare module "http-cache-tests/client/runner.mjs" {
  export interface SuiteTest {
    readonly id: string;
    readonly kind?: "required" | "optimal" | "check";
    readonly browser_only?: boolean;
    readonly requests: readonly object[];
  }
  export interface TestSuite {
    readonly id: string;
    readonly tests: readonly SuiteTest[];
  }
  export function runTests(
    suites: readonly TestSuite[],
    fetch: unknown,
    browserCache: boolean,
    baseUrl: string,
    atOnce: number,
  ): Promise<void>;
  export function getResults(): Readonly<Record<string, true | readonly string[]>>;
}
declare module "http-cache-tests/client/test.mjs" {
  import type { SuiteTest } from "http-cache-tests/client/runner.mjs";
  /** Runs one case, with what `runTests` was told; it must have no result yet. */
  export const makeCacheTest: ((test: SuiteTest) => Promise<void>) | undefined;
  /** The same, in the suite's later source. */
  export const makeTest: typeof makeCacheTest;
  export const testResults: Record<string, true | readonly string[]>;
}
declare module "http-cache-tests/tests/index.mjs" {
  import type { TestSuite } from "http-cache-tests/client/runner.mjs";
  const suites: readonly TestSuite[];
  export default suites;
}
declare module "http-cache-tests/server/*" {
  import type { IncomingMessage, ServerResponse } from "node:http";
  const handle: (segments: string[], request: IncomingMessage, response: ServerResponse) => void;
  export default handle;
}
declare module "node-fetch" {
  const plainFetch: unknown;
  export default plainFetch;
}
