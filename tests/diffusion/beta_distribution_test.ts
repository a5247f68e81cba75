/** The beta distribution against mpmath 1.3 in 30 digits: `betainc(a, b, 0, x, regularized=True)`. */

import { cumulativeBeta, inverseBeta } from "../../lib/diffusion/beta_distribution.ts";
import { equal, ok } from "../assert.ts";

const rows = [
  { a: 0.6, b: 0.6, x: 0.01, cumulative: 0.043603714884750632 },
  { a: 0.6, b: 0.6, x: 0.25, cumulative: 0.31304132858335938 },
  { a: 0.6, b: 0.6, x: 0.9, cumulative: 0.82395274565396219 },
  { a: 2, b: 5, x: 0.3, cumulative: 0.579825 },
  { a: 0.5, b: 12.5, x: 0.05, cumulative: 0.7377910464211083 },
] as const;

for (const { a, b, x, cumulative } of rows) {
  Deno.test(`I(${x}; ${a}, ${b}) and back, to the last digits of a double`, () => {
    const off = cumulativeBeta(x, a, b) / cumulative - 1;
    ok(Math.abs(off) < 2e-14, `${cumulativeBeta(x, a, b)} is off by ${off}`);
    const back = inverseBeta(cumulative, a, b) / x - 1;
    ok(Math.abs(back) < 1e-12, `${inverseBeta(cumulative, a, b)} is off by ${back}`);
  });
}

Deno.test("the ends stay the ends", () => {
  equal([0, 1].map((x) => cumulativeBeta(x, 0.6, 0.6)), [0, 1]);
  equal([-1, 0, 1, 2].map((probability) => inverseBeta(probability, 0.6, 0.6)), [0, 0, 1, 1]);
});
