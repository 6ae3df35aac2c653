/** Tokens of the admin API: made with a role, shown once, revoked within seconds. Only unlimited admins get here. */
import { importKeySecret } from "../platform/api-key.ts";
import { mintAdminToken, newTokenId } from "../platform/admin-token.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { CONTROL_OBJECT } from "../protocol/control.ts";
import { signature } from "./access.ts";
import {
  createdToken,
  createTokenBody,
  listTokensQuery,
  tokenList,
  tokenParams,
  tokenView,
} from "./contract/tokens.ts";
import { operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS, problem } from "./reply.ts";
import { secretOf, secretsMissing } from "./secrets.ts";

const TAG = "Tokens";
const KEEPS = ["tokenId", "label", "role", "tenants", "createdAtMs", "createdBy", "expiresAtMs", "revokedAtMs"];

const createToken = operation(
  {
    id: "createToken",
    method: "POST",
    path: "/tokens",
    tag: TAG,
    summary: "Make a token",
    description: "It is shown this once, holds until it expires or is revoked, and cannot be read again.",
    body: createTokenBody,
    example: { label: "ci", role: "operator", tenants: ["acme"], forMs: 2_592_000_000 },
    result: createdToken,
    status: 201,
    refusals: { 409: "There are as many tokens as may be, and all of them hold." },
    once: true,
    keeps: KEEPS,
  },
  async ({ env, actor, entryId, body }) => {
    const secret = secretOf(env, "WEIR_KEY_SECRET");
    if (secret === undefined) return secretsMissing(["WEIR_KEY_SECRET"]);
    const tokenId = newTokenId();
    const { label, role, tenants = null, forMs } = body;
    const createdBy = signature(actor, undefined);
    const request = { v: 1 as const, tokenId, label, role, tenants, forMs, createdBy, entryId };
    const call = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "createAdminToken", request);
    const made = await withDeadline(call, COORDINATOR_DEADLINE_MS);
    if (made === undefined) return problem(409, "There are as many tokens as may be: revoke those nobody needs");
    const { revokedAtMs: _revoked, lastUsedAtMs: _used, ...shown } = made;
    return { ...shown, token: await mintAdminToken(await importKeySecret(secret), tokenId) };
  },
);

const listTokens = operation(
  {
    id: "listTokens",
    method: "GET",
    path: "/tokens",
    tag: TAG,
    summary: "List the tokens",
    description: "The newest first; those that have ended, too, until they give way to new ones.",
    query: listTokensQuery,
    result: tokenList,
  },
  async ({ env, query: { cursor, limit } }) => {
    const request = { v: 1 as const, after: cursor, limit };
    const call = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "listAdminTokens", request);
    const { tokens, next } = await withDeadline(call, COORDINATOR_DEADLINE_MS);
    return { tokens, next: next ?? null };
  },
);

const revokeToken = operation(
  {
    id: "revokeToken",
    method: "DELETE",
    path: "/tokens/{tokenId}",
    tag: TAG,
    summary: "Revoke a token",
    description: "Refused everywhere within five seconds. Revoking again changes nothing.",
    params: tokenParams,
    result: tokenView,
    refusals: { 404: "There is no such token." },
    keeps: KEEPS,
  },
  async ({ env, entryId, params: { tokenId } }) => {
    const request = { v: 1 as const, tokenId, entryId };
    const call = callCoordinator(env, "CONTROL", CONTROL_OBJECT, "revokeAdminToken", request);
    return (await withDeadline(call, COORDINATOR_DEADLINE_MS)) ?? problem(404, `There is no token "${tokenId}"`);
  },
);

export const tokenOperations = [listTokens, createToken, revokeToken];
