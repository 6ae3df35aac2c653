import type { Config } from "../../src/config/model.ts";
import { normaliseWatching } from "../../src/config/normalise-watching.ts";

/** A minimal normalised config for tests inside workerd. */
const config: Config = {
  configVersion: 1,
  hash: "test",
  origins: [],
  identity: [],
  rateLimitFields: "ietf",
  pages: { languages: ["en"], templates: {}, byKind: {} },
  plans: {},
  tenants: [],
  routes: [],
  ...normaliseWatching({}),
};
export default config;
export const bundledText: string | undefined = undefined;
