/**
 * Configs: checked here, by the same code as the command line's, and handed to the Control object, which decides what
 * holds. A writer says with `If-Match` which number it saw in force, so that of two at once one is told (412).
 */
import type { z } from "zod";
import { pageHashes } from "../config/diff.ts";
import { loadConfig } from "../config/load.ts";
import type { Config, PageTemplate } from "../config/model.ts";
import { packConfig, unpackConfig } from "../config/packed.ts";
import { preparedPages } from "../config/pages/prepared.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { CONTROL_OBJECT, type ControlOutcome } from "../protocol/control.ts";
import {
  applyBody,
  type ConfigContentReply,
  type ConfigHistoryReply,
  type ConfigOutcomeReply,
  endTrialBody,
  historyQuery,
  rollbackBody,
} from "./contract.ts";
import type { AdminContext } from "./context.ts";
import { badRequest, problem, readBody, unknown } from "./reply.ts";

const DEADLINE_MS = 5_000;
/** The largest config with the largest pages, in JSON. */
const MAX_APPLY_BYTES = 4_194_304;

export async function listConfigs(context: AdminContext): Promise<Response> {
  const query = historyQuery.safeParse(context.req.query());
  if (!query.success) return badRequest(query.error);
  const request = { v: 1 as const, before: query.data.before, limit: query.data.limit };
  const { inForce, trial, versions } = await withDeadline(
    callCoordinator(context.env, "CONTROL", CONTROL_OBJECT, "history", request),
    DEADLINE_MS,
  );
  const reply: ConfigHistoryReply = {
    inForce: inForce ?? null,
    trial: trial ?? null,
    versions: versions.map((version) => ({ ...version, contentOf: version.contentOf ?? null })),
  };
  return context.json(reply);
}

export async function readConfig(context: AdminContext): Promise<Response> {
  const number = await numberOf(context);
  if (number instanceof Response) return number;
  const content = await readContent(context.env, number);
  if (content === undefined) return unknown("config version", String(number), []);
  const { config, text } = content;
  const reply: ConfigContentReply = {
    number,
    hash: config.hash,
    text: text ?? null,
    pages: await pageHashes(config.pages.templates),
  };
  return context.json(reply, 200, { etag: `"${number}"` });
}

/** `in-force` stands for the number of the config that everybody has. */
async function numberOf(context: AdminContext): Promise<number | Response> {
  const asked = context.req.param("number") ?? "";
  if (asked !== "in-force") {
    const number = Number(asked);
    return Number.isSafeInteger(number) && number > 0
      ? number
      : unknown("config version", asked, ["in-force", "a number"]);
  }
  const inForce = await readInForce(context.env);
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

export async function applyConfig(context: AdminContext): Promise<Response> {
  const expected = expectedNumber(context);
  if (expected instanceof Response) return expected;
  const body = await readBody(context, applyBody, MAX_APPLY_BYTES);
  if (body instanceof Response) return body;
  const loaded = await checked(context.env, body);
  if (loaded instanceof Response) return loaded;
  const { config, text } = loaded;
  if (body.dryRun) return context.json({ kind: "checked", hash: config.hash });
  const request = {
    v: 1 as const,
    hash: config.hash,
    packed: await packConfig(config),
    text,
    author: body.by,
    message: body.message,
    expected,
    originIds: config.origins.map(({ id }) => id),
    trial: body.canary,
  };
  const asked = callCoordinator(context.env, "CONTROL", CONTROL_OBJECT, "apply", request);
  return answerOutcome(context, await withDeadline(asked, DEADLINE_MS));
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

export async function rollbackConfig(context: AdminContext): Promise<Response> {
  const expected = expectedNumber(context);
  if (expected instanceof Response) return expected;
  const body = await readBody(context, rollbackBody);
  if (body instanceof Response) return body;
  const request = { v: 1 as const, number: body.number, expected, author: body.by, message: body.message };
  const asked = callCoordinator(context.env, "CONTROL", CONTROL_OBJECT, "rollback", request);
  return answerOutcome(context, await withDeadline(asked, DEADLINE_MS));
}

export async function endTrial(context: AdminContext): Promise<Response> {
  const body = await readBody(context, endTrialBody);
  if (body instanceof Response) return body;
  const request = { v: 1 as const, promote: body.promote, author: body.by, message: body.message };
  const asked = callCoordinator(context.env, "CONTROL", CONTROL_OBJECT, "endTrial", request);
  return answerOutcome(context, await withDeadline(asked, DEADLINE_MS));
}

const ETAG = /^"(\d{1,15})"$/;

/** 0: nothing is in force. */
function expectedNumber(context: AdminContext): number | Response {
  const header = context.req.header("if-match")?.trim();
  if (header === undefined) {
    return problem(428, 'If-Match is needed: the number of the config you saw in force, like "7" (with its quotes)');
  }
  const [, number] = ETAG.exec(header) ?? [];
  return number === undefined ? problem(400, 'If-Match must be one number in quotes, like "7"') : Number(number);
}

function answerOutcome(context: AdminContext, outcome: ControlOutcome): Response {
  switch (outcome.kind) {
    case "done":
    case "same": {
      const { kind, inForce, version } = outcome;
      const reply: ConfigOutcomeReply = {
        kind,
        inForce,
        version: { ...version, contentOf: version.contentOf ?? null },
      };
      return context.json(reply, kind === "done" ? 201 : 200, { etag: `"${inForce.number}"` });
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
