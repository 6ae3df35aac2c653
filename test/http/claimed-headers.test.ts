import { describe, expect, it } from "vitest";
import { cleanRequestHeaders, hasLoop } from "../../src/http/headers.ts";

describe("headers a client may only claim", () => {
  it.each([
    "x-forwarded-prefix",
    "x-forwarded-ssl",
    "X-Forwarded-Scheme",
    "x-client-ip",
    "x-real-ip",
    "weir-anything",
    "Weir-Tenant",
    "cf-connecting-o2o",
    "CF-IPCity",
    "true-client-ip",
    "x-http-method-override",
    "proxy-authorization",
  ])("%s does not reach an origin", (name) => {
    const cleaned = cleanRequestHeaders(new Headers({ [name]: "claimed", accept: "*/*" }), {
      clientIp: "",
      protocol: "https",
      host: "h",
    });
    expect(cleaned.get(name)).toBeNull();
    expect(cleaned.get("accept")).toBe("*/*");
  });

  it.each([
    { "cdn-loop": "weir ;a=1" },
    { "cdn-loop": "other, weir" },
    { via: "1.1 weir (comment)" },
    { via: "1.1\tweir" },
    { via: "1.0 fred, 1.1 weir" },
  ])("%o is a loop", (headers) => {
    expect(hasLoop(new Headers(headers as Record<string, string>))).toBe(true);
  });

  it.each([{ "cdn-loop": "weirdo" }, { via: "1.1 weird" }, { via: "1.1 not-weir" }, {}])("%o is none", (headers) => {
    expect(hasLoop(new Headers(headers as Record<string, string>))).toBe(false);
  });
});
