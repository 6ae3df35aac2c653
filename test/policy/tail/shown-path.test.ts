import { describe, expect, it } from "vitest";
import { shownPath } from "../../../src/policy/tail/shown-path.ts";

describe("a path that is shown", () => {
  it.each([
    ["/a/b;v=1/c", "/a/b;v=[hidden]/c"],
    ["/a;jsessionid=s3cret;x%3Ds3cret;flag", "/a;jsessionid=[hidden];x=[hidden];flag"],
    ["/keys/weir_YWNtZQ_0123456789abcdef_abc/x", "/keys/[hidden]/x"],
    ["/keys/weir2_YWNtZQ;a=b", "/keys/[hidden];a=[hidden]"],
    ["/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "/reset/[hidden]"],
    ["/eyJ", "/eyJ"],
    ["/weirdo/%20", "/weirdo/%20"],
    ["", ""],
  ])("of %s is %s", (path, shown) => {
    expect(shownPath(path)).toBe(shown);
  });

  it("hides a credential of which only the beginning would be in it", () => {
    const path = `/${"a".repeat(180)}/weir_${"b".repeat(900)}`;
    expect(shownPath(path)).toBe(`/${"a".repeat(180)}/[hidden]`);
  });

  it("has 200 characters at most", () => {
    expect(shownPath(`/${"a".repeat(8_000)}`)).toHaveLength(200);
    expect(shownPath("/;=".repeat(3_000))).toHaveLength(200);
  });
});
