/**
 * The OpenAPI document of the admin API, made from the very definitions that calls are checked with. OpenAPI 3.1 takes
 * JSON Schema as it is, and zod writes that, so nothing else is needed: a library for it would make the Worker half as
 * large again (measured: 131 KiB gzipped without, 206 KiB with @hono/zod-openapi, 132 KiB with this).
 */
import * as z from "zod";
import { ACCESS, roleText } from "./access.ts";
import { problemDetails } from "./contract/common.ts";
import type { ApiDocument, DocumentedOperation, DocumentedParameter, JsonSchema } from "./openapi-types.ts";
import { type Operation, routePath } from "./operation.ts";

const DESCRIPTION = [
  "Every call carries a token: `Authorization: Bearer …`. Without one that holds, a path is answered like one that does not exist.",
  "Refusals are RFC 9457 problem details; their `type` is stable. Unknown fields and query parameters are refused.",
  "A call that makes something takes an `Idempotency-Key`: the same call with the same key within a day gets the same reply.",
].join("\n\n");

/** What every route may say, beside its own refusals. */
const SHARED_REFUSALS: Readonly<Record<number, string>> = {
  400: "A parameter or the body is not valid: `title` says what would be.",
  403: "The token's role or tenants do not reach this, or another site's page sent it.",
  404: "There is nothing of that name; or no token that holds was given.",
  429: "Too many calls with this token, or too many wrong tokens: `Retry-After` says when.",
  503: "A coordinator did not answer. A write may have happened: the audit says.",
};
const BODY_REFUSALS: Readonly<Record<number, string>> = { 413: "The body is too large." };
const ONCE_REFUSALS: Readonly<Record<number, string>> = {
  409: "A call with this Idempotency-Key is under way, or nobody knows how it ended.",
  422: "This Idempotency-Key was used for another request.",
};

export function describeApi(operations: readonly Operation[]): ApiDocument {
  const paths: Record<string, Record<string, DocumentedOperation>> = {};
  for (const operation of operations) {
    const path = (paths[routePath(operation)] ??= {});
    path[operation.method.toLowerCase()] = describeOperation(operation);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Weir admin API", version: "1", description: DESCRIPTION },
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Problem: schemaOf(problemDetails, "output") },
    },
  };
}

function describeOperation(operation: Operation): DocumentedOperation {
  const { id, tag, summary, description, body, result, status = 200, contentType = "application/json" } = operation;
  const access = ACCESS[id];
  const does = [description, `Needs the role \`${access.role}\`${roleText(access.role)}.`];
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: does.filter((text) => text !== undefined).join(" "),
    "x-weir-role": access.role,
    "x-weir-audited": access.kind === "write",
    parameters: [
      ...parametersOf(operation.params, "path"),
      ...parametersOf(operation.query, "query"),
      ...headersOf(operation),
    ],
    ...(body === undefined ? {} : { requestBody: bodyOf(body, operation.example) }),
    responses: {
      [status]: {
        description: "It is done.",
        content: { [contentType]: { schema: schemaOf(result, "output") } },
      },
      ...refusalsOf(operation),
    },
  };
}

function bodyOf(body: z.ZodType, example: unknown): NonNullable<DocumentedOperation["requestBody"]> {
  const schema = schemaOf(body, "input");
  const shown = example === undefined ? {} : { example };
  return { required: requiredOf(schema).length > 0, content: { "application/json": { schema, ...shown } } };
}

function refusalsOf({ body, once, refusals }: Operation): DocumentedOperation["responses"] {
  const said = new Map<string, string>();
  const sources = [SHARED_REFUSALS, body === undefined ? {} : BODY_REFUSALS, refusals ?? {}, once ? ONCE_REFUSALS : {}];
  for (const [status, text] of sources.flatMap((source) => Object.entries(source))) {
    said.set(status, said.has(status) ? `${said.get(status)} ${text}` : text);
  }
  const content = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return Object.fromEntries([...said].map(([status, description]) => [status, { description, content }]));
}

function headersOf({ once, ifMatch }: Operation): DocumentedParameter[] {
  const key: DocumentedParameter = {
    name: "Idempotency-Key",
    in: "header",
    required: false,
    description: "Any name for this one call: 1 to 255 visible ASCII characters.",
    schema: { type: "string", minLength: 1, maxLength: 255 },
  };
  const match: DocumentedParameter = {
    name: "If-Match",
    in: "header",
    required: true,
    description: "Number of the config that you saw in force, in quotes.",
    schema: { type: "string", examples: ['"7"'] },
  };
  return [...(once ? [key] : []), ...(ifMatch ? [match] : [])];
}

function parametersOf(schema: z.ZodType | undefined, place: "path" | "query"): DocumentedParameter[] {
  if (schema === undefined) return [];
  const whole = schemaOf(schema, "input");
  const required = requiredOf(whole);
  return Object.entries(propertiesOf(whole)).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(typeof description === "string" ? { description } : {}),
    schema: rest,
  }));
}

export function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const { properties } = schema;
  if (!isSchema(properties)) return {};
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, property]) => (isSchema(property) ? [[name, property]] : [])),
  );
}

export function requiredOf({ required }: JsonSchema): readonly unknown[] {
  return Array.isArray(required) ? required : [];
}

export const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const { $schema: _dialect, "~standard": _standard, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
