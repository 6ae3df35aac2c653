/**
 * The admin API under `/_weir/`: health without a token, everything else with one. It reads and changes state only
 * through the coordinators; nothing of it is on a request's way. Without a token that holds, a path is answered as the
 * gateway answers one that is not routed. With `WEIR_ADMIN_HOST` it is on that host only, which has nothing else; there
 * nothing is hidden, and who has no token is told so.
 */
import { Hono } from "hono";
import type { Edge } from "../edge/edge.ts";
import { handleUnrouted } from "../edge/unrouted.ts";
import { boundedText } from "../http/bounded-text.ts";
import type { Env } from "../platform/bindings.ts";
import { logError } from "../platform/log.ts";
import { ACCESS, accessOf, type Actor } from "./access.ts";
import { answerDashboard, isDashboardPath } from "./dashboard.ts";
import { Documents } from "./documents.ts";
import { Gate, type GateVerdict, isCrossSite, isOwnWrite } from "./gate.ts";
import { health } from "./health.ts";
import { maxBodyBytes, type Operation, routePath } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { problem, problemType } from "./reply.ts";
import { sessionIn } from "./sessions.ts";
import { performWrite, type WriteResult } from "./writes.ts";
import { series } from "../protocol/series.ts";

/** One call of somebody who may come in. */
interface Visit {
  readonly env: Env;
  readonly url: URL;
  readonly nowMs: number;
  readonly requestId: string;
  readonly clientIp: string;
  /** Pages are shown here, and browsers may log in. */
  readonly open: boolean;
  readonly actor: Actor;
  readonly waitUntil: (work: Promise<unknown>) => void;
}

export class Admin {
  readonly #edge: Edge;
  readonly #gate = new Gate();
  readonly #documents = new Documents();
  readonly #app = new Hono<{ Bindings: Visit }>();

  constructor(edge: Edge) {
    this.#edge = edge;
    for (const operation of OPERATIONS) {
      const path = routePath(operation).replaceAll(/\{(\w+)\}/g, ":$1");
      this.#app.on(operation.method, path, (context) =>
        this.#perform(operation, context.env, context.req.raw, context.req.param()),
      );
    }
    this.#app.notFound(() => problem(404, "There is no such route"));
    this.#app.onError((error) => {
      logError({ where: "admin", error: String(error) });
      return problem(503, "A coordinator did not answer");
    });
  }

  async handle(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const url = new URL(request.url);
    const healthy = health(url.pathname, env, this.#edge.tables);
    if (healthy !== undefined) return secured(healthy, this.#edge.nextRequestId());
    const adminHost = env.WEIR_ADMIN_HOST ?? "";
    const own = adminHost !== "" && isHost(url, adminHost);
    if (own && url.pathname === "/") return Response.redirect(new URL("/_weir/", url).href, 302);
    if (!isAdminPath(request.url) || (adminHost !== "" && !own)) {
      return handleUnrouted(this.#edge, request, env, context);
    }
    const open = own || env.WEIR_ADMIN_PAGES === "open";
    if (open && this.#documents.has(url.pathname)) {
      return secured(await this.#documents.answer(url.pathname), this.#edge.nextRequestId());
    }
    if (open && isDashboardPath(url.pathname)) {
      return secured(await answerDashboard(request, url.pathname, env), this.#edge.nextRequestId());
    }
    const nowMs = this.#edge.now();
    const clientIp = request.headers.get("cf-connecting-ip") ?? "";
    const { headers } = request;
    const authorization = headers.get("authorization");
    // A page of another site rides on no cookie, not even to read, or to open a WebSocket.
    const session = open && !isCrossSite(headers, url) ? sessionIn(headers.get("cookie")) : null;
    const verdict = await this.#gate.identify({ authorization, session, clientIp }, env, nowMs);
    if (verdict.kind === "hidden" && !own) {
      if (verdict.wrong) this.#countRefused("wrong-token");
      return handleUnrouted(this.#edge, request, env, context);
    }
    const requestId = this.#edge.nextRequestId();
    const waitUntil = (work: Promise<unknown>): void => {
      context.waitUntil(work);
    };
    const visit = { env, url, nowMs, requestId, clientIp, waitUntil, open };
    return secured(await this.#answer(request, visit, verdict, context), requestId);
  }

  async #answer(
    request: Request,
    visit: Omit<Visit, "actor">,
    verdict: GateVerdict,
    context: ExecutionContext,
  ): Promise<Response> {
    switch (verdict.kind) {
      case "hidden":
        this.#countRefused(verdict.wrong ? "wrong-token" : "no-token");
        return problem(401, "A token is needed", undefined, { type: problemType("token-needed") });
      case "wait":
        this.#countRefused("too-many-wrong-tokens");
        return tooSoon("Too many wrong tokens came from this address", verdict.retryAfterMs);
      case "unreachable":
        this.#countRefused("control-unreachable");
        return problem(503, "The token cannot be checked: the Control object did not answer");
      case "in": {
        const waitMs = this.#gate.claimCall(verdict.actor, visit.nowMs);
        if (waitMs > 0) {
          this.#countRefused("too-many-calls");
          return tooSoon("Too many calls with this token", waitMs);
        }
        const { pathname } = visit.url;
        if (this.#documents.has(pathname)) return this.#documents.answer(pathname);
        return this.#app.fetch(request, { ...visit, actor: verdict.actor }, context);
      }
    }
  }

  async #perform(
    operation: Operation,
    visit: Visit,
    request: Request,
    params: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const refused = this.#refused(operation, visit, request, params);
    if (refused !== undefined) return refused;
    const body = await bodyOf(operation, request);
    if (body instanceof Response) return body;
    const act = operation.prepare({ params, search: visit.url.searchParams, body });
    if (act instanceof Response) return act;
    const { edge, env, actor, nowMs, requestId, waitUntil } = { edge: this.#edge, ...visit };
    const perform = async (entryId: number): Promise<WriteResult> => {
      let before: object | null = null;
      const answer = { status: operation.status ?? 200, headers: new Headers() };
      const result = await act({
        edge,
        env,
        tables: edge.tables,
        nowMs,
        actor,
        requestId,
        waitUntil,
        sessions: visit.open,
        isSecure: visit.url.protocol === "https:",
        ifMatch: request.headers.get("if-match") ?? undefined,
        webSocket: webSocketOf(request.headers),
        answer,
        entryId,
        before: (value) => {
          before = value;
        },
      });
      if (result instanceof Response) return { response: result, before, after: null };
      return { response: written(operation, result, answer), before, after: result };
    };
    if (ACCESS[operation.id].kind === "read") return (await perform(0)).response;
    const { id, name, role } = actor;
    const intent = { actor: { id, name, role }, operation: operation.id, params, requestId, client: visit.clientIp };
    const onceKey = operation.once ? (request.headers.get("idempotency-key") ?? undefined) : undefined;
    const asked = `${visit.url.pathname}${visit.url.search}\n${body}`;
    return performWrite({ env, intent, keeps: operation.keeps ?? [], onceKey, asked }, perform);
  }

  /** What the path names is not looked at: whether it exists cannot be found out without the right to. */
  #refused(
    { id, method }: Operation,
    { actor, url }: Visit,
    request: Request,
    params: Readonly<Record<string, string>>,
  ): Response | undefined {
    const verdict = accessOf(actor, id, params["tenant"]);
    if (verdict !== "allowed") {
      this.#countRefused(verdict);
      const { role } = ACCESS[id];
      const title =
        verdict === "role-missing"
          ? `This needs a token with the role "${role}"; this one's is "${actor.role}"`
          : "This token reaches the routes of its own tenants only";
      return problem(403, title, undefined, { type: problemType(verdict) });
    }
    const { headers } = request;
    const opensSocket = webSocketOf(headers) !== undefined;
    if (method === "GET" && !opensSocket) return undefined;
    const isOwn = opensSocket || actor.session === undefined || isOwnWrite(headers, url);
    if (isOwn && !isCrossSite(headers, url)) return undefined;
    this.#countRefused("cross-site");
    return problem(403, "Another site's page sent this", undefined, { type: problemType("cross-site") });
  }

  #countRefused(reason: string): void {
    this.#edge.counters.countEvent(series("weir_admin_refused_total", { reason }));
  }
}

/** Whether a request is the admin API's to answer. */
export function isAdminRequest(url: string, env: Env): boolean {
  if (isAdminPath(url)) return true;
  const { WEIR_ADMIN_HOST: adminHost = "" } = env;
  return adminHost !== "" && isHost(new URL(url), adminHost);
}

/** The path of an absolute URL, as received. */
function isAdminPath(url: string): boolean {
  const slash = url.indexOf("/", url.indexOf("://") + 3);
  return slash !== -1 && url.startsWith("/_weir/", slash);
}

const isHost = ({ host, hostname }: URL, wanted: string): boolean =>
  host === wanted.toLowerCase() || hostname === wanted.toLowerCase();

async function bodyOf(operation: Operation, request: Request): Promise<string | Response> {
  if (request.method === "GET" || request.method === "HEAD") return "";
  if (request.body === null) return "";
  const most = maxBodyBytes(operation);
  return (await boundedText(request.body, most)) ?? problem(413, `The body must be smaller than ${most} bytes`);
}

function written(
  { contentType = "application/json" }: Operation,
  result: unknown,
  { status, headers }: { readonly status: number; readonly headers: Headers },
): Response {
  headers.set("content-type", contentType);
  return new Response(typeof result === "string" ? result : JSON.stringify(result), { status, headers });
}

/** The subprotocols that are offered; undefined: no WebSocket is to be opened. */
function webSocketOf(headers: Headers): readonly string[] | undefined {
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
  return (headers.get("sec-websocket-protocol") ?? "").split(",", 10).map((name) => name.trim());
}

function tooSoon(title: string, waitMs: number): Response {
  const response = problem(429, title);
  response.headers.set("retry-after", String(Math.max(1, Math.ceil(waitMs / 1_000))));
  return response;
}

const POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Nothing of it is kept, framed, guessed at or told to another site. */
function secured(response: Response, requestId: string): Response {
  const { headers } = response;
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", POLICY);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  headers.set("x-content-type-options", "nosniff");
  if (!headers.has("x-frame-options")) headers.set("x-frame-options", "DENY");
  headers.set("referrer-policy", "no-referrer");
  headers.set("cross-origin-resource-policy", "same-origin");
  headers.set("weir-request-id", requestId);
  if (response.status === 401) headers.set("www-authenticate", 'Bearer realm="weir-admin"');
  return response;
}
