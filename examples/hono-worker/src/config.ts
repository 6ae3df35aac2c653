import { defineConfig } from "weir/config";

/** As weir.jsonc, without what this Worker does not use. A wrong config fails when the Worker is deployed. */
export const config = defineConfig(
  {
    version: 1,
    origins: {
      shop: { url: "https://shop.example", deadline: "2s", retry: { attempts: 2, budget: 0.1 } },
    },
    plans: {
      free: { limits: { requests: { rate: "1/m", burst: 10 } } },
      pro: { limits: { requests: { rate: "100/s", burst: 200 } } },
    },
    tenants: { acme: { plan: "pro" } },
  },
  // Raise it with every change.
  { configVersion: 1 },
);
