/** W3C Trace Context, sections 3.2 (traceparent), 3.2.4 (versions) and 3.3 (tracestate). */
import { describe, expect, it } from "vitest";
import { acceptTraceparent, traceparentOf } from "../../src/http/traceparent.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

describe("an inbound traceparent", () => {
  it.each(["00", "01", "02", "03", "ff"])("of version 00 goes on as it came, with its flags %s", (flags) => {
    const value = `00-${TRACE}-${PARENT}-${flags}`;
    expect(acceptTraceparent(value)).toBe(value);
  });

  it.each([
    ["of a later version goes on as version 00", `01-${TRACE}-${PARENT}-01`, `00-${TRACE}-${PARENT}-01`],
    ["with more behind it too", `cc-${TRACE}-${PARENT}-01-what-comes`, `00-${TRACE}-${PARENT}-01`],
    ["with no flag that version 00 does not know", `01-${TRACE}-${PARENT}-fe`, `00-${TRACE}-${PARENT}-00`],
    ["only if a dash is before what is more", `01-${TRACE}-${PARENT}-01.what`, undefined],
  ])("%s", (_what, value, accepted) => {
    expect(acceptTraceparent(value)).toBe(accepted);
  });

  it.each([
    ["none", null],
    ["empty", ""],
    ["of the version that is forbidden", `ff-${TRACE}-${PARENT}-01`],
    ["without a trace id", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["without a parent id", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["in capitals", `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ["with more behind version 00", `00-${TRACE}-${PARENT}-01-more`],
    ["too short", `00-${TRACE}-${PARENT}-1`],
    ["with other characters", `00-${TRACE.slice(1)}g-${PARENT}-01`],
    ["with other separators", `00_${TRACE}_${PARENT}_01`],
    ["of two fields", `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
  ])("that is not one (%s) is not passed on", (_what, value) => {
    expect(acceptTraceparent(value)).toBeUndefined();
  });
});

describe("a traceparent of our own", () => {
  it("is one, says that nobody has sampled it, and has the request's id for its end", () => {
    const requestId = "0123456789ab000000000001";
    const own = traceparentOf(`cafecafe${requestId}`, requestId);
    expect(acceptTraceparent(own)).toBe(own);
    expect(own).toBe(`00-cafecafe${requestId}-89ab000000000001-00`);
  });
});
