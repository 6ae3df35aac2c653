/**
 * Configs: checked here, by the same code as the command line's, and handed to the Control object, which decides what
 * holds. A writer says with `If-Match` which number it saw in force, so that of two at once one is told (412).
 */
import * as z from "zod";
import { pageHashes } from "../config/diff.ts";
import { loadConfig } from "../config/load.ts";
import type { Config, PageTemplate } from "../config/model.ts";
import { packConfig, unpackConfig } from "../config/packed.ts";
import { preparedPages } from "../config/pages/prepared.ts";
import { privateTargets } from "../config/url-check.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { CONTROL_OBJECT, type ControlOutcome } from "../protocol/control.ts";
import { TENANT_INDEX_OBJECT } from "../protocol/tenant-index.ts";
import { signature } from "./access.ts";
import {
  applyBody,
  checkedReply,
  configContentReply,
  configHistoryReply,
  configOutcomeReply,
  type ConfigOutcomeReply,
  configParams,
  endTrialBody,
  historyQuery,
  rollbackBody,
} from "./contract/configs.ts";
import { type CallSite, operation } from "./operation.ts";
import { allowsPrivate, privateRefused, problem, unknown } from "./reply.ts";

const DEADLINE_MS = 5_000;
/** The largest config with the largest pages, in JSON. */
const MAX_APPLY_BYTES = 4_194_304;

const TAG = "Configs";
const KEEPS = ["kind", "hash", "inForce", "version"];
const RACED = { 412: "Somebody was faster: another config is in force.", 428: "If-Match is missing." };

const listConfigs = operation(
  {
    id: "listConfigs",
    method: "GET",
    path: "/configs",
    tag: TAG,
    summary: "List the versions, what is in force, and the trial under way",
    query: historyQuery,
    result: configHistoryReply,
  },
  async ({ env, query: { before, limit } }) => {
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "history", { v: 1, before, limit });
    const { inForce, trial, versions } = await withDeadline(asked, DEADLINE_MS);
    return {
      inForce: inForce ?? null,
      trial: trial ?? null,
      versions: versions.map((version) => ({ ...version, contentOf: version.contentOf ?? null })),
    };
  },
);

const readConfig = operation(
  {
    id: "readConfig",
    method: "GET",
    path: "/configs/{number}",
    tag: TAG,
    summary: "Read a version",
    params: configParams,
    result: configContentReply,
    refusals: { 404: "There is no such version, or its content is no longer kept." },
  },
  async ({ env, params, answer }) => {
    const number = await numberOf(env, params.number);
    if (number instanceof Response) return number;
    const content = await readContent(env, number);
    if (content === undefined) return unknown("config version", String(number), []);
    const { config, text } = content;
    answer.headers.set("etag", `"${number}"`);
    return { number, hash: config.hash, text: text ?? null, pages: await pageHashes(config.pages.templates) };
  },
);

const applyConfig = operation(
  {
    id: "applyConfig",
    method: "POST",
    path: "/configs",
    tag: TAG,
    summary: "Apply a config, to everybody or on trial",
    description: "In force for active traffic within five seconds. With `dryRun` it is only checked.",
    body: applyBody,
    example: {
      text: "{ … the whole of weir.jsonc … }",
      message: "more for acme",
      canary: { shareRatio: 0.05, forMs: 600_000 },
    },
    maxBodyBytes: MAX_APPLY_BYTES,
    result: z.union([configOutcomeReply, checkedReply]),
    status: 201,
    refusals: { ...RACED, 409: "Another config is on trial.", 422: "The config has problems: `problems` lists all." },
    ifMatch: true,
    keeps: KEEPS,
  },
  async (call) => {
    const { env, actor, entryId, body } = call;
    const expected = expectedNumber(call);
    if (expected instanceof Response) return expected;
    const loaded = await checked(env, body);
    if (loaded instanceof Response) return loaded;
    const { config, text } = loaded;
    const unfit = await unfitHere(env, config);
    if (unfit !== undefined) return unfit;
    if (body.dryRun) {
      call.answer.status = 200;
      return { kind: "checked" as const, hash: config.hash };
    }
    await keepInForce(call);
    const request = {
      v: 1 as const,
      hash: config.hash,
      packed: await packConfig(config),
      text,
      author: signature(actor, body.by),
      message: body.message,
      expected,
      originIds: config.origins.map(({ id }) => id),
      trial: body.canary,
      entryId,
    };
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "apply", request);
    return answerOutcome(call, await withDeadline(asked, DEADLINE_MS));
  },
);

const rollbackConfig = operation(
  {
    id: "rollbackConfig",
    method: "POST",
    path: "/configs/rollback",
    tag: TAG,
    summary: "Put the content of an earlier version in force again",
    description: "Ends a trial.",
    body: rollbackBody,
    example: { number: 6, message: "as it was before" },
    result: configOutcomeReply,
    status: 201,
    refusals: { ...RACED, 404: "There is no such version, or its content is no longer kept." },
    ifMatch: true,
    keeps: KEEPS,
  },
  async (call) => {
    const { env, actor, entryId, body } = call;
    const expected = expectedNumber(call);
    if (expected instanceof Response) return expected;
    const content = await readContent(env, body.number);
    const unfit = content === undefined ? undefined : await unfitHere(env, content.config);
    if (unfit !== undefined) return unfit;
    await keepInForce(call);
    const author = signature(actor, body.by);
    const request = { v: 1 as const, number: body.number, expected, author, message: body.message, entryId };
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "rollback", request);
    return answerOutcome(call, await withDeadline(asked, DEADLINE_MS));
  },
);

const endTrial = operation(
  {
    id: "endTrial",
    method: "POST",
    path: "/configs/trial/end",
    tag: TAG,
    summary: "End a trial before its time",
    body: endTrialBody,
    example: { promote: true, message: "it went well" },
    result: configOutcomeReply,
    status: 201,
    refusals: { 409: "No config is on trial." },
    keeps: KEEPS,
  },
  async (call) => {
    const { env, actor, entryId, body } = call;
    await keepInForce(call);
    const author = signature(actor, body.by);
    const request = { v: 1 as const, promote: body.promote, author, message: body.message, entryId };
    const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "endTrial", request);
    return answerOutcome(call, await withDeadline(asked, DEADLINE_MS));
  },
);

export const configOperations = [listConfigs, readConfig, applyConfig, rollbackConfig, endTrial];

async function keepInForce(call: CallSite): Promise<void> {
  call.before({ inForce: (await readInForce(call.env)) ?? null });
}

/** `in-force` stands for the number of the config that everybody has. */
async function numberOf(env: Env, asked: string): Promise<number | Response> {
  if (asked !== "in-force") {
    const number = Number(asked);
    return Number.isSafeInteger(number) && number > 0
      ? number
      : unknown("config version", asked, ["in-force", "a number"]);
  }
  const inForce = await readInForce(env);
  return inForce === undefined ? problem(404, "No config has been applied or deployed yet") : inForce.number;
}

async function readInForce(env: Env) {
  const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "inForce", { v: 1 });
  return (await withDeadline(asked, DEADLINE_MS)).inForce;
}

async function readContent(
  env: Env,
  number: number,
): Promise<{ readonly config: Config; readonly text: string | undefined } | undefined> {
  const asked = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "read", { v: 1, number });
  const content = await withDeadline(asked, DEADLINE_MS);
  if (content === undefined) return undefined;
  return { config: await unpackConfig(new Uint8Array(content.packed)), text: content.text };
}

/** Whole in itself, but not for this gateway. */
async function unfitHere(env: Env, config: Config): Promise<Response | undefined> {
  const refused = allowsPrivate(env) ? undefined : privateRefused(privateTargets(config));
  return refused ?? missingPlans(env, config);
}

/** A plan that tenants made through the API have cannot go: they would have none. */
async function missingPlans(env: Env, { plans }: Config): Promise<Response | undefined> {
  const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "counts", { v: 1 });
  const inUse = Object.entries(await withDeadline(asked, DEADLINE_MS)).filter(([plan]) => !Object.hasOwn(plans, plan));
  if (inUse.length === 0) return undefined;
  const problems = inUse.map(([plan, tenants]) => ({
    path: `plans.${plan}`,
    message: `is missing, but ${tenants} tenant(s) made through the API have it`,
  }));
  return problem(422, "Plans are missing that tenants have", undefined, { problems });
}

/** Pages that the body does not bring are those of the config in force. */
async function checked(env: Env, body: z.infer<typeof applyBody>) {
  const configVersion = Date.now();
  const templates = body.pages ?? (await templatesInForce(env));
  const loaded = await loadConfig(body.text, { configVersion, ...preparedPages(templates) });
  if (loaded.ok) return loaded;
  const { problems } = loaded;
  const title = `The config has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}`;
  return problem(422, title, undefined, { problems });
}

async function templatesInForce(env: Env): Promise<Readonly<Record<string, PageTemplate>>> {
  const inForce = await readInForce(env);
  const content = inForce === undefined ? undefined : await readContent(env, inForce.number);
  return content?.config.pages.templates ?? {};
}

const ETAG = /^"(\d{1,15})"$/;

/** 0: nothing is in force. */
function expectedNumber({ ifMatch }: CallSite): number | Response {
  const header = ifMatch?.trim();
  if (header === undefined) {
    return problem(428, 'If-Match is needed: the number of the config you saw in force, like "7" (with its quotes)');
  }
  const [, number] = ETAG.exec(header) ?? [];
  return number === undefined ? problem(400, 'If-Match must be one number in quotes, like "7"') : Number(number);
}

function answerOutcome({ answer }: CallSite, outcome: ControlOutcome): ConfigOutcomeReply | Response {
  switch (outcome.kind) {
    case "done":
    case "same": {
      const { kind, inForce, version } = outcome;
      if (kind === "same") answer.status = 200;
      answer.headers.set("etag", `"${inForce.number}"`);
      return { kind, inForce, version: { ...version, contentOf: version.contentOf ?? null } };
    }
    case "conflict":
      return problem(412, `Somebody was faster: config ${outcome.inForce.number} is in force now`, undefined, {
        inForce: outcome.inForce,
      });
    case "on-trial":
      return problem(409, `Config ${outcome.inForce.canary?.number ?? 0} is on trial: end its trial first`, undefined, {
        inForce: outcome.inForce,
      });
    case "no-trial":
      return problem(409, "No config is on trial");
    case "unknown-version":
      return problem(404, "There is no such version, or its content is no longer kept");
  }
}
