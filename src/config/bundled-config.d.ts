/** The deployed config, put into the bundle by `npm run build:config` (or by the local runner). */
import type { Config } from "./model.ts";
declare const bundledConfig: Config;
export default bundledConfig;
