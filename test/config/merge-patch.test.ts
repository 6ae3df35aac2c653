import fc from "fast-check";
import { parse } from "jsonc-parser";
import { describe, expect, it } from "vitest";
import { mergePatch } from "../../src/config/merge-patch.ts";

const patched = (text: string, patch: unknown): string => {
  const result = mergePatch(text, JSON.stringify(patch));
  if (!result.ok) throw new Error(result.problem);
  return result.text;
};

describe("a merge patch", () => {
  it.each([
    // RFC 7396, appendix A: those whose target and patch are objects.
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])("on %s of %s gives %s", (target, patch, result) => {
    expect(parse(patched(target, JSON.parse(patch)))).toEqual(JSON.parse(result));
  });

  it("is what the RFC's own few lines make of any two objects", () => {
    const json = fc.object({
      key: fc.constantFrom("a", "b", "c"),
      maxDepth: 3,
      values: [fc.integer(), fc.constant(null), fc.string()],
    });
    fc.assert(
      fc.property(json, json, (target, patch) => {
        // As JSON has it: -0 is 0.
        const [before, change] = [target, patch].map((value) => JSON.parse(JSON.stringify(value)) as unknown);
        expect(parse(patched(JSON.stringify(before), change))).toEqual(reference(before, change));
      }),
    );
  });

  it("leaves the text's comments and order, and changes only its own lines", () => {
    const text = `{
  // Who answers.
  "origins": { "app": { "url": "https://a.example" } }, // one
  "plans": {
    /* cheap */
    "free": { "limits": { "requests": { "rate": "5/s", "burst": 10 } } },
  },
}
`;
    expect(patched(text, { plans: { free: { limits: { requests: { rate: "8/s" } } } } })).toBe(
      text.replace('"5/s"', '"8/s"'),
    );
    const more = patched(text, { tenants: { acme: { plan: "free" } } });
    expect(more).toContain("// Who answers.");
    expect(more).toContain("// one");
    expect(more).toContain("/* cheap */");
    expect(parse(more)).toMatchObject({ tenants: { acme: { plan: "free" } }, plans: { free: {} } });
  });

  it.each([
    ["[1]", "a patch of a config must be an object"],
    ["", "broken JSON at character 0: ValueExpected"],
    ['{"a":', "broken JSON at character 5: ValueExpected"],
  ])("that is %s is refused", (patch, problem) => {
    expect(mergePatch("{}", patch)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it("sets no prototype: what it names is in the text, where the check refuses it", () => {
    expect(patched("{}", JSON.parse('{"__proto__":{"x":1}}'))).toContain("__proto__");
  });
});

function reference(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = reference(result[name], value);
  }
  return result;
}
