/** What would become of a request, stage by stage. Changes nothing, and tells no credential it was given. */
import type { z } from "zod";
import { explain } from "../edge/explain/explain.ts";
import type { Tables } from "../config/tables.ts";
import { explainBody, explainReply } from "./contract/explain.ts";
import { tenantOf } from "./lookup.ts";
import { operation } from "./operation.ts";
import { problem, problemType } from "./reply.ts";

type Body = z.output<typeof explainBody>;

const explainRequest = operation(
  {
    id: "explainRequest",
    method: "POST",
    path: "/explain",
    tag: "Looking",
    summary: "Explain what would become of a request",
    description:
      "The real stages, without side effects: nothing is spent, counted, stored or sent. As the isolate that answers this call would decide now.",
    body: explainBody,
    example: { method: "GET", url: "https://api.example.com/products/7", tenant: "acme" },
    maxBodyBytes: 65_536,
    result: explainReply,
    refusals: { 403: "A token of some tenants, and another's request.", 404: "There is no such tenant." },
  },
  async (call) => {
    const { body, edge, env, tables, actor } = call;
    if (body.tenant !== undefined && body.apiKey !== undefined)
      return problem(400, "tenant, apiKey: give one of them, or none");
    if (body.config === "canary" && edge.config.canary === undefined) return problem(409, "No config is on trial");
    if (body.tenant !== undefined) {
      if (actor.tenants?.includes(body.tenant) === false) return foreign();
      const tenant = await tenantOf(call, body.tenant);
      if (tenant instanceof Response) return tenant;
    }
    const request = requestOf(body, tables);
    if (request instanceof Response) return request;
    const method = body.method.toUpperCase();
    const { tenantId, ...explanation } = await explain(edge, env, {
      request,
      method,
      tenant: body.tenant,
      config: body.config,
    });
    // Whose a credential is is known only now.
    if (tenantId !== undefined && actor.tenants?.includes(tenantId) === false) return foreign();
    return explanation;
  },
);

export const explainOperations = [explainRequest];

function foreign(): Response {
  const title = "This token is told of requests of its own tenants only";
  return problem(403, title, undefined, { type: problemType("outside-scope") });
}

function requestOf({ url, method, headers: given, apiKey, address }: Body, tables: Tables): Request | Response {
  try {
    const headers = new Headers({ ...given });
    // Only the platform says where a request comes from.
    headers.delete("cf-connecting-ip");
    if (address !== undefined) headers.set("cf-connecting-ip", address);
    if (apiKey !== undefined) {
      const rule = tables.identity.find(({ type }) => type === "apiKey");
      if (rule?.type !== "apiKey") return problem(400, "apiKey: this config has no callers by API key");
      headers.set(rule.header, rule.scheme === undefined ? apiKey : `${rule.scheme} ${apiKey}`);
    }
    const canBe = !["CONNECT", "TRACE", "TRACK"].includes(method.toUpperCase());
    return new Request(url, { method: canBe ? method.toUpperCase() : "GET", headers });
  } catch {
    // Said without the error, which may quote a value.
    return problem(400, "url, headers: no request can be made of them");
  }
}
