/** What one isolate stores is found by another of its PoP, under the same names. */
import { expect, it } from "vitest";
import { ResponseStore, type StoredResponse } from "../../src/edge/cache/response-store.ts";
import { freshnessOf, type HeaderReader } from "../../src/policy/cache/freshness.ts";

const asks =
  (acceptLanguage: string): HeaderReader =>
  (name) =>
    name === "accept-language" ? acceptLanguage : null;
const german: StoredResponse = {
  status: 200,
  headers: [["content-language", "de"]],
  body: new ArrayBuffer(9),
  bytes: 9,
  freshness: freshnessOf(200, () => null, { scope: "shared" }, 0, 0),
  vary: ["accept-language"],
  language: "de",
  tags: [],
  purgeEpoch: 0,
};

it("finds what is in the favourite language, in the PoP's cache as in memory, where it may", async () => {
  const key = crypto.randomUUID();
  await new ResponseStore("pop").put(key, asks("en, de"), german);
  const store = new ResponseStore("pop");
  expect(await store.find(key, asks("de, fr;q=0.5"), false)).toBeUndefined();
  expect(await store.find(key, asks("fr, de;q=0.5"), true)).toBeUndefined();
  expect(await store.find(key, asks("de, fr;q=0.5"), true)).toMatchObject({ language: "de", bytes: 9 });
  expect(store.recall(key, asks("de, it;q=0.1"), true)).toMatchObject({ language: "de" });
  expect(store.recall(key, asks("de, it;q=0.1"), false)).toBeUndefined();
});

it("forgets it under both names", async () => {
  const key = crypto.randomUUID();
  const store = new ResponseStore("pop");
  await store.put(key, asks("en, de"), german);
  await store.forget(key);
  for (const asked of ["en, de", "de"]) {
    expect(store.recall(key, asks(asked), true)).toBeUndefined();
    expect(await store.find(key, asks(asked), true)).toBeUndefined();
  }
});
