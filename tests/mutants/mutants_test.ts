import { equal } from "../assert.ts";
import { bare, mutantsOf } from "./mutants.ts";

Deno.test("mutants are made of code, not of comments, strings or patterns", () => {
  const source =
    'const a = b < c; // d < e\n/* f > g */ const h = "i && j" + `k * ${l}`;\nconst m = /n < o/.test(p) && q;\n';
  equal(mutantsOf("a.ts", source).map(({ line, from, to }) => [line, from, to]), [
    [1, " < ", " <= "],
    [2, " + ", " - "],
    [3, " && ", " || "],
  ]);
  equal(bare(source).length, source.length);
});
