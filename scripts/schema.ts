/** `npm run schema [-- --check]`: writes weir.schema.json from the one schema, or checks that it is current. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jsonSchema } from "../src/config/schema.ts";

const path = join(import.meta.dirname, "..", "weir.schema.json");
const text = `${JSON.stringify(jsonSchema(), null, 2)}\n`;
if (process.argv.includes("--check")) {
  if (readFileSync(path, "utf8") !== text) {
    console.error("weir.schema.json is not current: run `npm run schema`");
    process.exitCode = 1;
  }
} else writeFileSync(path, text);
