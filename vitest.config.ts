import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  test: {
    projects: [
      {
        // Pure code, on Node: policies, config, HTTP, command line parsing.
        test: {
          name: "unit",
          include: ["test/{policy,config,http,conformance/policy}/**/*.test.ts", "test/*.test.ts"],
          environment: "node",
        },
      },
      {
        // Objects and stages, inside workerd.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                WEIR_KEY_SECRET: "test-key-secret-0123456789abcdef0123456789",
                WEIR_ADMIN_TOKEN: "test-admin-token-0123456789abcdef0123456",
                WEIR_POP: "test-pop",
              },
            },
          }),
        ],
        resolve: { alias: { "#bundled-config": path("./test/support/bundled-config.ts") } },
        test: { name: "workers", include: ["test/{coordinators,edge}/**/*.test.ts"], testTimeout: 20_000 },
      },
      {
        // The whole gateway from Node: real workerd, real sockets, real origins.
        test: {
          name: "scenarios",
          include: ["test/{scenarios,cli,local}/**/*.test.ts", "test/conformance/*.test.ts"],
          environment: "node",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
