import { jsonOf } from "fewstep/weights/config.ts";
import { JsonFault, MAX_JSON_DEPTH, parseJson } from "fewstep/weights/json.ts";
import { fileNameFault, pathFault } from "fewstep/weights/paths.ts";
import { plain, shown } from "fewstep/weights/said.ts";
import { equal, ok, throwsSentence } from "../assert.ts";

const clause = (text: string): string => {
  try {
    parseJson(text);
  } catch (error) {
    if (error instanceof JsonFault) return error.message;
    throw error;
  }
  return "parsed";
};

Deno.test("JSON: colons and brackets in strings are letters, whatever stands before a quote", () => {
  for (
    const value of [{ 'a":"b': '\\":{[' }, { "\\": ["\\\\", "", ":", { a: { b: [1, -2e5, null, true] } }] }, "x", 1]
  ) {
    equal(parseJson(JSON.stringify(value, null, 1)), value);
  }
});

Deno.test("JSON: equal keys, however they are written, and too many levels are refused", () => {
  equal(clause('{"a":1,"a":2}'), "it is JSON that names a key twice in one object");
  equal(clause('{"x":[{"a":1,"\\u0061":2}]}'), "it is JSON that names a key twice in one object");
  equal(clause('{"x":{"a":1},"y":{"a":2}}'), "parsed");
  equal(clause("[".repeat(MAX_JSON_DEPTH) + "]".repeat(MAX_JSON_DEPTH)), "parsed");
  equal(clause("[".repeat(2_000_000)), `it is JSON of more than ${MAX_JSON_DEPTH} levels`);
  equal(clause('{"a":1'), "it is not JSON");
  equal(clause('"\\'), "it is not JSON");
});

Deno.test("JSON of a file is refused with the file's name", () =>
  throwsSentence(() => jsonOf("a.json", "{"), "Cannot read a.json: it is not JSON. Is the download complete?"));

Deno.test("a stranger's words stay on their line, are short, and turn no text around", () => {
  equal(plain("naïve ö 猫"), "naïve ö 猫");
  equal(plain("a\nb\u001b[31m\u2028\u202e"), "a\\u000ab\\u001b[31m\\u2028\\u202e");
  equal(plain("ab".repeat(500), 10), "ababa…babab");
  ok(plain("\ud800").isWellFormed(), "half a letter");
  equal(shown(undefined), "nothing");
  equal(shown([1, "a"]), '[1,"a"]');
});

Deno.test("names of files that are none somewhere", () => {
  for (const name of ["a.safetensors", "a b.txt", "ü.json"]) equal(fileNameFault(name), undefined);
  for (
    const name of [
      "",
      ".",
      "..",
      "/etc/passwd",
      "a/b",
      "..\\x",
      "C:x",
      "con",
      "NUL.safetensors",
      "a\0b",
      "x.",
      "a?",
      "x ",
    ]
  ) ok(fileNameFault(name) !== undefined, JSON.stringify(name));
  equal(pathFault("unet/a.safetensors"), undefined);
  for (const path of ["../a", "a/../b", "/a", "//server/a", "a//b", "unet/aux", "x".repeat(2000)]) {
    ok(pathFault(path) !== undefined, path);
  }
});
