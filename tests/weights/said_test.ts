import { plain } from "fewstep/weights/said.ts";
import { equal } from "../assert.ts";

Deno.test("a stranger's word is whole up to its length, then cut in its middle, on one line", () => {
  equal(plain("a".repeat(120)), "a".repeat(120));
  equal(plain("a".repeat(60) + "b".repeat(61)), `${"a".repeat(60)}…${"b".repeat(60)}`);
  equal(plain("ab\ncd\u202e", 20), "ab\\u000acd\\u202e");
});
