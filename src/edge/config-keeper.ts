/**
 * The newest config in force, in this isolate. Its number comes with the views of origins, and by asking where none has
 * come for a while; the content comes through the PoP's cache, is compiled, and then takes the place of the one before. A
 * request keeps the tables it began with. What cannot be fetched, read or compiled changes nothing: the last good config
 * stays, it is counted, and it is tried again. Without a Control object the bundle's config is all there is.
 */
import { compileTables } from "../config/compile.ts";
import type { Config } from "../config/model.ts";
import { packConfig, unpackConfig } from "../config/packed.ts";
import type { Tables } from "../config/tables.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import type { ConfigInForce } from "../policy/rollout/rollout.ts";
import { CONTROL_OBJECT } from "../protocol/control.ts";
import { SharedConfigs } from "./shared-configs.ts";

/** Without any word for so long, it is asked for. */
const UNHEARD_MS = 3_000;
/** Requests wait for the config in force only in this time from the isolate's first one on. */
const START_DEADLINE_MS = 400;
const CALL_DEADLINE_MS = 5_000;
/** All isolates of a PoP hear of a new config at about the same time. */
const JITTER_MS = 300;
const RETRY_MS = 1_000;

export interface KeeperSite {
  readonly env: Env;
  readonly waitUntil: (work: Promise<unknown>) => void;
}

const siteOf = (env: Env, context: Pick<ExecutionContext, "waitUntil">): KeeperSite => ({
  env,
  waitUntil: (work) => {
    context.waitUntil(work);
  },
});

/** A config that a share of the callers has. */
export interface Canary {
  readonly number: number;
  readonly shareRatio: number;
  readonly tables: Tables;
}

export interface KeeperOptions {
  readonly config: Config;
  /** Of the bundle's config. */
  readonly text: string | undefined;
  readonly pop: string;
  readonly now: () => number;
  readonly random: () => number;
  readonly onFailure: () => void;
  readonly onSwap: () => void;
}

export class ConfigKeeper {
  /** For everybody who is not in a canary. */
  tables: Tables;
  canary: Canary | undefined;
  /** 0: nothing is known but the bundle. */
  sequence = 0;
  /** Of `tables`; 0: the bundle's, before anything was heard. */
  number = 0;
  readonly #options: KeeperOptions;
  readonly #shared: SharedConfigs;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #wanted: ConfigInForce | undefined;
  #retryAtMs = 0;
  #working = false;
  #started: Promise<void> | undefined;
  #waitedForUntilMs = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#shared = new SharedConfigs(options.pop);
    this.tables = compileTables(options.config);
  }

  /** What the isolate was deployed with. */
  get bundle(): { readonly configVersion: number; readonly hash: string } {
    const { configVersion, hash } = this.#options.config;
    return { configVersion, hash };
  }

  /**
   * Before each request. A promise only until the isolate has heard what is in force, and in its first START_DEADLINE_MS;
   * after that a comparison.
   */
  beforeRequest(env: Env, context: Pick<ExecutionContext, "waitUntil">): Promise<void> | undefined {
    if (this.#started === undefined) {
      const site = siteOf(env, context);
      this.#waitedForUntilMs = this.#options.now() + START_DEADLINE_MS;
      this.#started = this.#work(() => this.#start(site));
      context.waitUntil(this.#started);
    }
    const nowMs = this.#options.now();
    if (this.sequence === 0 && this.#working && nowMs < this.#waitedForUntilMs) {
      // Each waits by a timer of its own: the one that began may be gone.
      return withDeadline(this.#started, this.#waitedForUntilMs - nowMs).catch(() => undefined);
    }
    const due = this.#wanted !== undefined || nowMs - this.#heardAtMs > UNHEARD_MS;
    if (due && !this.#working && nowMs >= this.#retryAtMs) this.#catchUp(siteOf(env, context));
    return undefined;
  }

  #catchUp(site: KeeperSite): void {
    const wanted = this.#wanted;
    site.waitUntil(this.#work(() => (wanted === undefined ? this.#ask(site) : this.#fetch(site, wanted))));
  }

  /** With a view, or another reply. */
  heard(inForce: ConfigInForce | undefined, site: KeeperSite): void {
    if (inForce === undefined) return;
    this.#heardAtMs = this.#options.now();
    if (inForce.sequence <= Math.max(this.sequence, this.#wanted?.sequence ?? 0)) return;
    this.#wanted = inForce;
    if (this.#working || this.#heardAtMs < this.#retryAtMs) return;
    site.waitUntil(
      this.#work(async () => {
        await new Promise((resolve) => setTimeout(resolve, this.#options.random() * JITTER_MS));
        await this.#fetch(site, this.#wanted ?? inForce);
      }),
    );
  }

  /** One piece of work at a time. */
  async #work(work: () => Promise<void>): Promise<void> {
    this.#working = true;
    try {
      await work();
    } catch {
      this.#retryAtMs = this.#options.now() + RETRY_MS;
      this.#options.onFailure();
    } finally {
      this.#working = false;
    }
  }

  /** Tells what it was deployed with; a deploy that is news is taken over by the Control object. */
  async #start(site: KeeperSite): Promise<void> {
    const { config, text } = this.#options;
    const { configVersion, hash } = config;
    const shared = await this.#shared.inForce(this.#options.now());
    if (shared !== undefined && shared.bundle === hash) return this.#fetch(site, shared.inForce);
    const asked = callCoordinator(site.env, "CONTROL", CONTROL_OBJECT, "inForce", {
      v: 1,
      bundle: { configVersion, hash },
    });
    let { inForce, wantsBundle } = await withDeadline(asked, CALL_DEADLINE_MS);
    if (wantsBundle) {
      const originIds = config.origins.map(({ id }) => id);
      const packed = await packConfig(config);
      const request = { v: 1 as const, configVersion, hash, packed, text, originIds };
      const adopted = callCoordinator(site.env, "CONTROL", CONTROL_OBJECT, "adopt", request);
      ({ inForce } = await withDeadline(adopted, CALL_DEADLINE_MS));
    }
    if (inForce !== undefined) await this.#fetch(site, inForce);
  }

  async #ask(site: KeeperSite): Promise<void> {
    const nowMs = this.#options.now();
    const shared = await this.#shared.inForce(nowMs);
    const inForce = shared?.inForce ?? (await this.#askControl(site));
    this.#heardAtMs = nowMs;
    if (inForce !== undefined && inForce.sequence > this.sequence) await this.#fetch(site, inForce);
  }

  async #askControl({ env }: KeeperSite): Promise<ConfigInForce | undefined> {
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "inForce", { v: 1 });
    const { inForce } = await withDeadline(asked, CALL_DEADLINE_MS);
    if (inForce !== undefined) await this.#shared.tell(inForce, this.#options.config.hash, this.#options.now());
    return inForce;
  }

  async #fetch(site: KeeperSite, inForce: ConfigInForce): Promise<void> {
    const { number, canary } = inForce;
    const tables = number === this.number ? this.tables : compileTables(await this.#read(site, number));
    const trial = canary === undefined ? undefined : await this.#readCanary(site, canary, tables);
    if (inForce.sequence <= this.sequence) return;
    this.tables = tables;
    this.canary = trial;
    this.number = number;
    this.sequence = inForce.sequence;
    this.#heardAtMs = this.#options.now();
    if ((this.#wanted?.sequence ?? 0) <= inForce.sequence) this.#wanted = undefined;
    this.#options.onSwap();
    await this.#shared.tell(inForce, this.#options.config.hash, this.#heardAtMs);
  }

  async #readCanary(
    site: KeeperSite,
    { number, shareRatio }: NonNullable<ConfigInForce["canary"]>,
    everybodys: Tables,
  ): Promise<Canary> {
    const known = this.canary?.number === number && this.tables === everybodys ? this.canary.tables : undefined;
    return { number, shareRatio, tables: known ?? compileTables(await this.#read(site, number), everybodys) };
  }

  async #read({ env }: KeeperSite, number: number): Promise<Config> {
    const near = await this.#shared.read(number);
    if (near !== undefined) return unpackConfig(near);
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "read", { v: 1, number });
    const content = await withDeadline(asked, CALL_DEADLINE_MS);
    if (content === undefined) throw new Error(`no content of config ${number}`);
    const packed = new Uint8Array(content.packed);
    const config = await unpackConfig(packed);
    await this.#shared.keep(number, packed);
    return config;
  }
}
