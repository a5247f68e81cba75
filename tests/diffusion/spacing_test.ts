import { leading, linspace, roundHalfToEven, trailing } from "../../lib/diffusion/spacing.ts";
import { equal } from "../assert.ts";

Deno.test("trailing spacing rounds half to even: 16 steps include 811, not 812", () => {
  equal(trailing(16, 1000).slice(1, 4), [937, 874, 811]);
});

Deno.test("trailing spacing never takes a step too many: 61 steps are 61", () => {
  for (let n = 1; n <= 1000; n++) {
    const timesteps = trailing(n, 1000);
    equal([timesteps.length, timesteps[0]], [n, 999]);
  }
});

Deno.test("trailing spacing of 4 is what SDXL-Lightning was distilled on", () => {
  equal(trailing(4, 1000), [999, 749, 499, 249]);
  equal(trailing(1, 1000), [999]);
});

Deno.test("leading spacing leaves the highest noise out", () => {
  equal(leading(4, 1, 1000), [751, 501, 251, 1]);
});

Deno.test("linspace holds both ends; one step is the low one", () => {
  equal(linspace(3, 1000), [999, 499.5, 0]);
  equal(linspace(1, 1000), [0]);
});

Deno.test("half rounds to even", () => {
  equal([0.5, 1.5, 2.5, 2.4999, 2.5001].map(roundHalfToEven), [0, 2, 2, 2, 3]);
});
