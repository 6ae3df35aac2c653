/** The deployed config, put into the bundle by `npm run build:config` (or by the local runner), and the text it was made of. */
import type { Config } from "./model.ts";
declare const bundledConfig: Config;
export default bundledConfig;
export declare const bundledText: string | undefined;
