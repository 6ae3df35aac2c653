/** What all admin routes share: bodies that are checked, problems that say what would be valid. */
import type { z } from "zod";

const MAX_BODY_BYTES = 16_384;
export const COORDINATOR_DEADLINE_MS = 2_000;

export async function readBody<Schema extends z.ZodType>(
  context: { readonly req: { text(): Promise<string> } },
  schema: Schema,
  maxBytes = MAX_BODY_BYTES,
): Promise<z.infer<Schema> | Response> {
  const text = await context.req.text();
  if (text.length > maxBytes) return problem(413, `The body must be smaller than ${maxBytes} bytes`);
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    return problem(400, "The body is not JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  return badRequest(parsed.error);
}

export function badRequest({ issues }: z.ZodError): Response {
  return problem(400, issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; "));
}

export function unknown(kind: string, id: string, known: readonly string[], status = 404): Response {
  const valid = known.length <= 20 ? `; valid: ${known.join(", ")}` : "";
  return problem(status, `Unknown ${kind} "${id.slice(0, 64)}"${valid}`);
}

export function notFound(): Response {
  return problem(404, "Not found");
}

/** `more`: members of its own. */
export function problem(status: number, title: string, detail?: string, more?: Record<string, unknown>): Response {
  const body = { type: "about:blank", title, status, ...(detail === undefined ? {} : { detail }), ...more };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}
