/**
 * The public HTTP cache tests (npm: http-cache-tests; or a checkout of their source, see CONTRIBUTING.md), unchanged,
 * through a gateway that runs on workerd: their origin behind it, their client in front of it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import plainFetch from "node-fetch";
import { runTests, getResults, type SuiteTest, type TestSuite } from "http-cache-tests/client/runner.mjs";
import handleConfig from "http-cache-tests/server/handle-config.mjs";
import handleState from "http-cache-tests/server/handle-state.mjs";
import handleTest from "http-cache-tests/server/handle-test.mjs";
import suites from "http-cache-tests/tests/index.mjs";
import type { Gateway } from "../../local/gateway.ts";
import { ADMIN, configOf, startTestGateway, temporaryFolder } from "../support/gateway.ts";

const { testResults, ...client } = await import("http-cache-tests/client/test.mjs");
/** Under the release's name, or under its later one. */
const makeTest = client.makeCacheTest ?? client.makeTest;

type Kind = "required" | "optimal" | "check";

export interface CaseResult {
  readonly suite: string;
  readonly id: string;
  readonly kind: Kind;
  /** Undefined: it passed. */
  readonly why: string | undefined;
}

type Handler = (segments: string[], request: IncomingMessage, response: ServerResponse) => void;
const HANDLERS: Readonly<Record<string, Handler>> = { config: handleConfig, state: handleState, test: handleTest };

function startOrigin(): Promise<Server> {
  const server = createServer((request, response) => {
    const [, dispatch = "", ...segments] = new URL(request.url ?? "/", "http://origin.invalid").pathname.split("/");
    const handler = HANDLERS[dispatch];
    if (handler === undefined) response.writeHead(404).end();
    else handler(segments, request, response);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve(server);
    });
  });
}

/** What its client and its origin say to each other, and what it varies by. */
const ITS_OWN_FIELDS: readonly string[] = ["Test-ID", "Test-Name", "Req-Num", "Foo", "Bar", "Baz", "Other", "Abc"];

/** What a route may have and has not by itself. */
const OPTED_FOR = { byContentLanguage: true, storePost: true };

/**
 * Runs the cases whose ids are given, or all that are for caches that are no browser's; `paused`: also those that wait for
 * three seconds in between. What fails and is not `known` to is tried once more by itself: lifetimes of two seconds are
 * over too soon where hundreds of cases run on a busy machine.
 */
export async function runPublicSuite(
  only: readonly string[],
  paused: boolean,
  known: ReadonlySet<string>,
): Promise<readonly CaseResult[]> {
  const folder = temporaryFolder();
  const origin = await startOrigin();
  let gateway: Gateway | undefined;
  try {
    const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
    const config = await configOf(folder.path, {
      version: 1,
      origins: { suite: { url, retry: { attempts: 1 } } },
      identity: [{ type: "anonymous", plan: "open" }],
      plans: { open: {} },
      routes: [
        {
          id: "tests",
          match: { path: "/test/*" },
          origin: "suite",
          cache: { ...OPTED_FOR, forwardHeaders: ITS_OWN_FIELDS },
        },
        { id: "control", match: { path: "/*" }, origin: "suite" },
      ],
    });
    gateway = await startTestGateway(config);
    await holdClosed(gateway.urls[0] ?? "");
    const wanted = chosen(only, paused);
    // Not Node's own fetch: it adds request directives that no case asks for. All at once: most of their time is pauses.
    await runTests(wanted, plainFetch, false, gateway.urls[0] ?? "", 1_000);
    for (const test of wanted.flatMap(({ tests }) => tests)) {
      if (testResults[test.id] === true || known.has(test.id)) continue;
      delete testResults[test.id];
      await makeTest?.(test);
    }
    const found = getResults();
    return wanted.flatMap((suite) => suite.tests.map((test) => resultOf(suite, test, found[test.id])));
  } finally {
    await gateway?.stop();
    origin.closeAllConnections();
    origin.close();
    folder.remove();
  }
}

/** Many of its answers are failures on purpose. */
async function holdClosed(gatewayUrl: string): Promise<void> {
  const response = await fetch(`${gatewayUrl}/_weir/api/v1/breakers/suite/trip`, {
    method: "POST",
    headers: { ...ADMIN, "content-type": "application/json" },
    body: JSON.stringify({ state: "closed", reason: "conformance", by: "test" }),
  });
  if (!response.ok) throw new Error(`forcing the breaker: ${response.status} ${await response.text()}`);
}

function chosen(only: readonly string[], paused: boolean): TestSuite[] {
  const wanted = (test: SuiteTest): boolean =>
    test.browser_only !== true &&
    (only.length === 0 || only.includes(test.id)) &&
    (paused || test.requests.every((request) => !("pause_after" in request)));
  return suites.map((suite) => ({ ...suite, tests: suite.tests.filter(wanted) }));
}

function resultOf(suite: TestSuite, test: SuiteTest, found: true | readonly string[] | undefined): CaseResult {
  const why = found === true ? undefined : (found ?? ["not run"]).join(": ");
  return { suite: suite.id, id: test.id, kind: test.kind ?? "required", why };
}
