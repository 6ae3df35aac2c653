/** Answers of all admin routes: RFC 9457 problems with stable types, that say what would be valid. */
import type * as z from "zod";
import type { Finding } from "../config/checks.ts";
import type { Env } from "../platform/bindings.ts";

export const COORDINATOR_DEADLINE_MS = 2_000;

/** The kind of each problem that has no name of its own. */
const KINDS: Readonly<Record<number, string>> = {
  400: "bad-request",
  401: "token-needed",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  412: "precondition-failed",
  413: "body-too-large",
  422: "not-acceptable",
  426: "upgrade-needed",
  428: "precondition-needed",
  429: "too-many-calls",
  503: "unreachable",
};

/** Problems that are listed by their place, and those of them that the title says. */
const MAX_LISTED = 100;
const MAX_IN_TITLE = 10;

export function badRequest({ issues }: z.ZodError): Response {
  const problems = issues.slice(0, MAX_LISTED).map((issue) => ({ path: placeOf(issue), message: issue.message }));
  const title = problems.slice(0, MAX_IN_TITLE).map(({ path, message }) => `${path}: ${message}`);
  return problem(400, title.join("; "), undefined, { problems });
}

/** Unknown keys are named, whatever their message says. */
function placeOf(issue: z.core.$ZodIssue): string {
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys.slice(0, 20).join(", ")] : issue.path;
  return path.join(".").slice(0, 200) || "request";
}

export function unknown(kind: string, id: string, known: readonly string[], status = 404): Response {
  const valid = known.length > 0 && known.length <= 20 ? `; valid: ${known.join(", ")}` : "";
  return problem(status, `Unknown ${kind} "${id.slice(0, 64)}"${valid}`);
}

/** `more`: members of its own, and `type` where the status does not say enough. */
export function problem(status: number, title: string, detail?: string, more?: Record<string, unknown>): Response {
  const body = {
    type: problemType(KINDS[status] ?? "error"),
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    ...more,
  };
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/problem+json" } });
}

export function problemType(name: string): string {
  return `urn:weir:problem:admin:${name}`;
}

export const badCursor = (): Response => problem(400, "cursor: not one of ours");

/** A gateway on somebody's own machine says so. */
export const allowsPrivate = (env: Env): boolean => env.WEIR_ALLOW_PRIVATE_ORIGINS === "1";

/** Undefined: nothing is to be refused. */
export function privateRefused(findings: readonly Finding[]): Response | undefined {
  if (findings.length === 0) return undefined;
  const problems = findings.map(({ path, message }) => ({ path: path.join("."), message }));
  return problem(422, "The config reaches into private networks", "WEIR_ALLOW_PRIVATE_ORIGINS=1 allows it.", {
    problems,
  });
}
