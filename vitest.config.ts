import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

// wrangler.toml names it, and it must be there; what is in it is made by those who look at it.
mkdirSync(path("./build/assets"), { recursive: true });

// The command is started some hundred times; what Node compiled of it is kept from one time to the next.
process.env["NODE_COMPILE_CACHE"] ??= path("./build/compile-cache");

const insideWorkerd = (): ReturnType<typeof cloudflareTest> =>
  cloudflareTest({
    wrangler: { configPath: "./wrangler.toml" },
    miniflare: {
      bindings: {
        WEIR_KEY_SECRET: "test-key-secret-0123456789abcdef0123456789",
        WEIR_ADMIN_TOKEN: "test-admin-token-0123456789abcdef0123456",
        WEIR_PROXY_SECRET: "test-proxy-secret-0123456789abcdef012345",
        WEIR_POP: "test-pop",
        // What tests on Node read from their environment.
        TEST_SEED: process.env["WEIR_SEED"] ?? "1",
        TEST_DRILL: process.env["WEIR_DRILL"] ?? "",
      },
    },
  });

/** Modules of which `test/leak/switched` has one that can take safeguards away; these import the true ones. */
const SWITCHED = new Map(
  ["policy/cache/storing.ts", "policy/cache/freshness.ts", "edge/cache/receiving.ts"].map((module) => [
    path(`./src/${module}`),
    path(`./test/leak/switched/${module.slice(module.lastIndexOf("/") + 1)}`),
  ]),
);
const TRUE = "#true/";
const withSwitches: Plugin = {
  name: "weir-safeguards",
  enforce: "pre",
  async resolveId(source, importer) {
    if (source.startsWith(TRUE)) return `${path(`./src/${source.slice(TRUE.length)}`)}?true`;
    const resolved = await this.resolve(source, importer, { skipSelf: true });
    return resolved === null ? undefined : SWITCHED.get(resolved.id);
  },
};

/** A checkout of the public cache tests' repository, run in place of their release on npm; CONTRIBUTING.md says how. */
const suite = process.env["WEIR_SUITE"];
const suiteModules =
  suite === undefined
    ? []
    : [
        { find: /^http-cache-tests\/tests\//, replacement: `${resolve(suite)}/tests/` },
        { find: /^http-cache-tests\/(client|server)\//, replacement: `${resolve(suite)}/test-engine/$1/` },
      ];

/** What says more in a minute than in seconds, or takes long to say it: `npm run drill` has it, `npm test` its smaller like. */
const DRILL_ONLY = [
  "test/timed/eight-edges*.test.ts",
  "test/timed/noisy-neighbour.test.ts",
  "test/timed/live.test.ts",
  "test/timed/outage-warm-half.test.ts",
  "test/scenarios/exact-counts.test.ts",
  "test/scenarios/sizing.test.ts",
  // .ci/run has this one, too.
  "test/library/package.test.ts",
];
const exclude = process.env["WEIR_DRILL"] === "1" ? [] : DRILL_ONLY;

/**
 * The projects run one after the other (`groupOrder`), each with as many files at once as it bears on the two cores of
 * the smallest machine: what computes two, what starts processes three, what mostly waits six, what measures one.
 */
export default defineConfig({
  test: {
    // The Worker's own log lines: tests read them where they matter.
    onConsoleLog: (log) => (log.startsWith('{"time":') ? false : undefined),
    projects: [
      {
        // Pure code, on Node: policies, config, HTTP, command line parsing.
        test: {
          name: "unit",
          include: [
            "test/{policy,config,http,protocol,ops,fuzz,conformance/policy}/**/*.test.ts",
            "test/ui/model/*.test.ts",
            "test/*.test.ts",
          ],
          environment: "node",
          // No test here changes a global or a module: files may share a process, and its imports.
          isolate: false,
          maxWorkers: 2,
          // Worlds in virtual time only compute: how long that takes depends on what else the cores have to do.
          testTimeout: 30_000,
        },
      },
      {
        // Objects and stages, inside workerd.
        plugins: [insideWorkerd()],
        resolve: { alias: { "#bundled-config": path("./test/support/bundled-config.ts") } },
        test: {
          name: "workers",
          include: ["test/{coordinators,edge,hono}/**/*.test.ts", "test/attacks/*.test.ts"],
          maxWorkers: 6,
          isolate: false,
          setupFiles: "./test/edge/after-each-file.ts",
          sequence: { groupOrder: 1 },
          testTimeout: 20_000,
        },
      },
      {
        // The pipeline inside workerd, with safeguards that can be taken away.
        plugins: [withSwitches, insideWorkerd()],
        resolve: { alias: { "#bundled-config": path("./test/support/bundled-config.ts") } },
        test: { name: "leak", include: ["test/leak/*.test.ts"], maxWorkers: 2 },
      },
      {
        // The data plane's attacks of docs/threat-model.md, each a file, all against one gateway.
        test: {
          name: "attacks",
          include: ["test/attacks/data-plane/*.test.ts"],
          environment: "node",
          globalSetup: "./test/attacks/data-plane/support/setup.ts",
          isolate: false,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        // The whole gateway from Node: real workerd, real sockets, real origins. What these say holds on a busy machine.
        resolve: { alias: suiteModules },
        test: {
          name: "scenarios",
          include: ["test/{scenarios,cli,local,library}/**/*.test.ts", "test/conformance/*.test.ts"],
          exclude,
          environment: "node",
          maxWorkers: 3,
          isolate: false,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        // The same, where what is measured would be disturbed by others: one file at a time, last.
        test: {
          name: "timed",
          include: ["test/timed/**/*.test.ts", "test/ui/*.test.ts"],
          exclude,
          environment: "node",
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
