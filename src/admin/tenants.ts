/**
 * Tenants without a config: made, changed, suspended and removed here, a million of them if need be. What a tenant is goes
 * to the index, which tells the tenant's coordinator; a tenant of the config file can only be suspended here.
 */
import { checkTenant, type Finding } from "../config/checks.ts";
import { normaliseTenant } from "../config/normalise.ts";
import type { TenantFile } from "../config/schema.ts";
import type { Env } from "../platform/bindings.ts";
import { callCoordinator, withDeadline } from "../platform/coordinators.ts";
import { TENANT_INDEX_OBJECT, type TenantRow, type TenantWrite } from "../protocol/tenant-index.ts";
import { wordsOfTenant, wordsSearched } from "../protocol/tenant-words.ts";
import {
  importBody,
  importReply,
  listTenantsQuery,
  putTenantBody,
  removedTenant,
  suspendBody,
  tenantList,
  tenantParams,
  tenantView,
  type TenantView,
} from "./contract/tenants.ts";
import { type CallSite, operation } from "./operation.ts";
import { COORDINATOR_DEADLINE_MS, problem, unknown } from "./reply.ts";

const TAG = "Tenants";
const KEEPS = ["tenant", "source", "label", "plan", "settings", "suspended"];
const MAX_IMPORT_BYTES = 4_194_304;
const MAX_SETTINGS_LENGTH = 65_536;
/** A thousand rows with their words. */
const IMPORT_DEADLINE_MS = 20_000;

const listTenants = operation(
  {
    id: "listTenants",
    method: "GET",
    path: "/tenants",
    tag: TAG,
    summary: "List tenants, or search for them",
    description:
      "In order of id; where words are searched, those of the file first, then in order of the words found. A page may " +
      "be short or empty though there are more: `next` says so.",
    query: listTenantsQuery,
    result: tenantList,
  },
  async (call) => {
    const { query } = call;
    if (query.source === "file") return filePage(call, await fileTenants(call, query), query);
    const files = query.source === "api" ? [] : await fileTenants(call, query);
    return query.search === "" ? merged(call, files, query) : found(call, files, query);
  },
);

const readTenant = operation(
  {
    id: "readTenant",
    method: "GET",
    path: "/tenants/{tenant}",
    tag: TAG,
    summary: "Read a tenant",
    params: tenantParams,
    result: tenantView,
    refusals: { 404: "There is no such tenant." },
  },
  async (call) => (await viewOf(call, call.params.tenant)) ?? unknown("tenant", call.params.tenant, []),
);

const putTenant = operation(
  {
    id: "putTenant",
    method: "PUT",
    path: "/tenants/{tenant}",
    tag: TAG,
    summary: "Make a tenant, or change it",
    description: "In force for active traffic within five seconds.",
    params: tenantParams,
    body: putTenantBody,
    example: { plan: "pro", label: "Acme Ltd" },
    maxBodyBytes: 2 * MAX_SETTINGS_LENGTH,
    result: tenantView,
    refusals: { 409: "It is in the config file.", 422: "It has problems: `problems` lists all." },
    keeps: KEEPS,
  },
  async (call) => {
    const { params, body, env } = call;
    if (call.tables.tenant(params.tenant) !== undefined) return inFile(params.tenant);
    const checked = importBody.safeParse({ tenants: [{ ...body, id: params.tenant }] });
    if (!checked.success)
      return problem(400, checked.error.issues.map(({ message }) => `tenant: ${message}`).join("; "));
    const writes = writesOf(call, checked.data.tenants);
    if (writes instanceof Response) return writes;
    call.before((await viewOf(call, params.tenant)) ?? null);
    await upsert(env, writes);
    return (await viewOf(call, params.tenant)) ?? problem(503, "The tenant was written, but could not be read again");
  },
);

const importTenants = operation(
  {
    id: "importTenants",
    method: "POST",
    path: "/tenants/import",
    tag: TAG,
    summary: "Make or change many tenants at once",
    description: "All or none. Sending the same again changes nothing.",
    body: importBody,
    example: { tenants: [{ id: "acme", plan: "pro", label: "Acme Ltd" }] },
    maxBodyBytes: MAX_IMPORT_BYTES,
    result: importReply,
    refusals: { 422: "Some have problems: `problems` lists all, by their place." },
    keeps: ["created", "changed", "same"],
  },
  async (call) => {
    const writes = writesOf(call, call.body.tenants);
    return writes instanceof Response ? writes : upsert(call.env, writes);
  },
);

const removeTenant = operation(
  {
    id: "removeTenant",
    method: "DELETE",
    path: "/tenants/{tenant}",
    tag: TAG,
    summary: "Remove a tenant",
    description: "Its keys end for good; one of the same name later does not inherit them.",
    params: tenantParams,
    result: removedTenant,
    refusals: { 404: "There is no such tenant.", 409: "It is in the config file." },
    keeps: KEEPS,
  },
  async (call) => {
    const { tenant } = call.params;
    if (call.tables.tenant(tenant) !== undefined) return inFile(tenant);
    const before = await viewOf(call, tenant);
    if (before === undefined) return unknown("tenant", tenant, []);
    call.before(before);
    const asked = callCoordinator(call.env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "remove", { v: 1, id: tenant });
    await withDeadline(asked, COORDINATOR_DEADLINE_MS);
    return { tenant };
  },
);

const suspendTenant = operation(
  {
    id: "suspendTenant",
    method: "POST",
    path: "/tenants/{tenant}/suspend",
    tag: TAG,
    summary: "Refuse all calls of a tenant",
    description: "In force within five seconds, also for a tenant of the config file.",
    params: tenantParams,
    body: suspendBody,
    example: { reason: "the bill is not paid" },
    result: tenantView,
    refusals: { 404: "There is no such tenant." },
    keeps: KEEPS,
  },
  (call) => suspend(call, call.params.tenant, call.body.reason),
);

const resumeTenant = operation(
  {
    id: "resumeTenant",
    method: "POST",
    path: "/tenants/{tenant}/resume",
    tag: TAG,
    summary: "End a suspension",
    params: tenantParams,
    result: tenantView,
    refusals: { 404: "There is no such tenant." },
    keeps: KEEPS,
  },
  (call) => suspend(call, call.params.tenant, undefined),
);

export const tenantOperations = [
  listTenants,
  importTenants,
  readTenant,
  putTenant,
  removeTenant,
  suspendTenant,
  resumeTenant,
];

const inFile = (tenant: string): Response =>
  problem(409, `Tenant "${tenant}" is in the config file: change it there, and apply that`);

async function suspend(call: CallSite, tenant: string, reason: string | undefined): Promise<TenantView | Response> {
  const before = await viewOf(call, tenant);
  if (before === undefined) return unknown("tenant", tenant, []);
  call.before(before);
  const request = { v: 1 as const, id: tenant, reason, inFile: before.source === "file" };
  const asked = callCoordinator(call.env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "suspend", request);
  await withDeadline(asked, COORDINATOR_DEADLINE_MS);
  return { ...before, suspended: reason ?? null };
}

type Incoming = TenantFile & { readonly id: string; readonly label: string };

/** With every problem of every tenant, or as the index takes them. */
function writesOf({ tables }: CallSite, incoming: readonly Incoming[]): readonly TenantWrite[] | Response {
  const plans = Object.keys(tables.config.plans);
  const findings: Finding[] = [];
  const first = new Map<string, number>();
  const writes = incoming.map(({ id, label, ...file }, index): TenantWrite | undefined => {
    const path = ["tenants", index] as const;
    if (first.has(id)) findings.push({ path: [...path, "id"], message: `"${id}" comes twice` });
    first.set(id, index);
    if (tables.tenant(id) !== undefined)
      findings.push({ path: [...path, "id"], message: `"${id}" is in the config file` });
    const settings = JSON.stringify(file);
    if (settings.length > MAX_SETTINGS_LENGTH) {
      findings.push({ path: [...path], message: `has ${settings.length} characters; at most ${MAX_SETTINGS_LENGTH}` });
    }
    const found = checkTenant(file, plans, path);
    findings.push(...found);
    // What was found wrong cannot be normalised.
    if (found.length > 0) return undefined;
    const { id: _named, ...profile } = normaliseTenant(id, file);
    return { id, label, profile, settings };
  });
  if (findings.length === 0) return writes.flatMap((write) => write ?? []);
  const problems = findings.slice(0, 100).map(({ path, message }) => ({ path: path.join("."), message }));
  return problem(
    422,
    findings.length === 1 ? "There is a problem" : `There are ${findings.length} problems`,
    undefined,
    {
      problems,
    },
  );
}

function upsert(env: Env, tenants: readonly TenantWrite[]) {
  const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "upsert", { v: 1, tenants });
  return withDeadline(asked, IMPORT_DEADLINE_MS);
}

async function viewOf({ env, tables }: CallSite, id: string): Promise<TenantView | undefined> {
  const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "get", { v: 1, id });
  const row = await withDeadline(asked, COORDINATOR_DEADLINE_MS);
  const file = tables.config.tenants.find((tenant) => tenant.id === id);
  if (file !== undefined) return { ...viewOfFile(file), suspended: row?.suspended ?? null };
  return row?.profile === undefined ? undefined : viewOfRow(row);
}

function viewOfRow({ id, profile, settings, label, suspended, createdAtMs, updatedAtMs }: TenantRow): TenantView {
  const { plan: _plan, ...own }: Record<string, unknown> = settings === undefined ? {} : JSON.parse(settings);
  return {
    tenant: id,
    source: "api",
    label,
    plan: profile?.plan ?? "",
    settings: own,
    suspended: suspended ?? null,
    createdAtMs,
    updatedAtMs,
  };
}

function viewOfFile({ id, plan }: { readonly id: string; readonly plan: string }): TenantView {
  const nothing = { label: "", settings: {}, suspended: null, createdAtMs: null, updatedAtMs: null };
  return { tenant: id, source: "file", plan, ...nothing };
}

type ListQuery = ReturnType<typeof listTenantsQuery.parse>;

interface Page {
  readonly tenants: TenantView[];
  readonly next: string | null;
}

/** Of those made here; the file's word for a tenant of the same name goes before. */
async function indexPage(
  { env, tables }: CallSite,
  { search, plan, suspended, cursor, limit }: ListQuery,
): Promise<Page> {
  const request = { v: 1 as const, words: search, plan, suspended, after: cursor, limit };
  const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "list", request);
  const { tenants, next } = await withDeadline(asked, COORDINATOR_DEADLINE_MS);
  const own = tenants.filter(({ id, profile }) => profile !== undefined && tables.tenant(id) === undefined);
  return { tenants: own.map(viewOfRow), next: next ?? null };
}

/** All of the file's that are asked for, in order of id. Their suspensions are asked for where they decide. */
async function fileTenants(call: CallSite, { search, plan, suspended }: ListQuery): Promise<TenantView[]> {
  const words = wordsSearched(search);
  const views = call.tables.config.tenants
    .filter((tenant) => plan === undefined || tenant.plan === plan)
    .filter(({ id }) => words.every((word) => wordsOfTenant(id, "").some((own) => own.startsWith(word))))
    .map(viewOfFile)
    .toSorted(byId);
  if (suspended === undefined) return views;
  return (await withSuspensions(call, views)).filter((view) => (view.suspended !== null) === suspended);
}

async function withSuspensions({ env }: CallSite, views: readonly TenantView[]): Promise<TenantView[]> {
  const ids = views.filter(({ source }) => source === "file").map(({ tenant }) => tenant);
  if (ids.length === 0) return [...views];
  const asked = callCoordinator(env, "TENANT_INDEX", TENANT_INDEX_OBJECT, "suspensions", { v: 1, ids });
  const reasons = new Map(Object.entries(await withDeadline(asked, COORDINATOR_DEADLINE_MS)));
  return views.map((view) =>
    view.source === "file" ? { ...view, suspended: reasons.get(view.tenant) ?? null } : view,
  );
}

async function filePage(call: CallSite, files: readonly TenantView[], { cursor, limit }: ListQuery): Promise<Page> {
  const rest = files.filter(({ tenant }) => tenant > (cursor ?? ""));
  const shown = rest.slice(0, limit);
  const next = rest.length > limit ? (shown.at(-1)?.tenant ?? null) : null;
  return { tenants: await withSuspensions(call, shown), next };
}

/** Both in one order: of the file's, those up to where the index's page ends. */
async function merged(call: CallSite, files: readonly TenantView[], query: ListQuery): Promise<Page> {
  const { tenants: own, next } = await indexPage(call, query);
  const between = files.filter(({ tenant }) => tenant > (query.cursor ?? "") && (next === null || tenant <= next));
  const both = [...between, ...own].toSorted(byId);
  const shown = both.slice(0, query.limit);
  const rest = both.length > shown.length ? (shown.at(-1)?.tenant ?? null) : next;
  return { tenants: await withSuspensions(call, shown), next: rest };
}

/** Where the file's end, `file:` and the id of the last one is the cursor. */
async function found(call: CallSite, files: readonly TenantView[], query: ListQuery): Promise<Page> {
  const { cursor = FILE_CURSOR, limit } = query;
  if (!cursor.startsWith(FILE_CURSOR)) return indexPage(call, query);
  const first = await filePage(call, files, { ...query, cursor: cursor.slice(FILE_CURSOR.length) });
  if (first.next !== null) return { ...first, next: FILE_CURSOR + first.next };
  const room = limit - first.tenants.length;
  if (room === 0) return { ...first, next: FILE_CURSOR + (first.tenants.at(-1)?.tenant ?? "") };
  const behind = await indexPage(call, { ...query, cursor: undefined, limit: room });
  return { tenants: [...first.tenants, ...behind.tenants], next: behind.next };
}

const FILE_CURSOR = "file:";
const byId = (a: TenantView, b: TenantView): number => (a.tenant < b.tenant ? -1 : 1);
