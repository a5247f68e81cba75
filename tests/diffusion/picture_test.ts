import { inpainted, latentMask, noised, plan, scheduleOf, SDXL_SCHEDULER } from "../../lib/diffusion/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { close, equal, throwsSentence } from "../assert.ts";
import { readGolden } from "../goldens/read.ts";

const golden = readGolden("guidance.safetensors");
const schedule = scheduleOf(SDXL_SCHEDULER, { steps: 4, spacing: "trailing" });

Deno.test("noise goes onto a clean latent as diffusers puts it there, in either space", () => {
  const [x0, noise] = [golden.get("x0"), golden.get("noise")];
  for (const space of ["exploding", "preserving"] as const) {
    close(noised(x0, noise, space, schedule, 1).data, golden.get(`noised-${space}`).data, 1e-6, space);
  }
});

Deno.test("strength takes the last steps of the schedule, rounded down", () => {
  const timesteps = (strength: number) => plan({ recipe: "lightning-4step", strength }).schedule.timesteps;
  equal(timesteps(1), [999, 749, 499, 249]);
  equal(timesteps(0.6), [499, 249]);
  equal(timesteps(0.25), [249]);
  const heun = plan({ sampler: "heun", spacing: "trailing", steps: 4, strength: 0.5 }).schedule;
  equal(heun.timesteps, [499, 249, 249]);
  equal(heun.sigmas.length, 4);
});

Deno.test("a strength that leaves no step is refused with the least that leaves one", async () => {
  await throwsSentence(
    () => plan({ recipe: "lightning-4step", strength: 0.2 }),
    "Cannot start from a picture with strength 0.2 in 4 steps: that leaves no step to take. Allowed: 0.25 to 1, or more steps.",
  );
  await throwsSentence(() => plan({ recipe: "turbo", strength: 0.5 }), /in 1 step: .* Allowed: 1, or more steps\./);
  await throwsSentence(() => plan({ strength: 1.5 }), /strength 1\.5/);
  equal(plan({ steps: 3, strength: 0.334 }).schedule.timesteps.length, 1);
});

Deno.test("inpainting keeps what the mask leaves out, at the noise of the step, and clean at the end", () => {
  const [x, original, noise] = [Tensor.of([5, 5]), Tensor.of([1, 2]), Tensor.of([1, 1])];
  const mask = Tensor.of([1, 0]);
  const at = (index: number) => [...inpainted(x, { original, noise, mask }, "exploding", schedule, index).data];
  equal(at(4), [5, 2]);
  equal(at(1), [5, Math.fround(2 + schedule.sigmas[1])]);
});

Deno.test("a mask a picture masks that picture; one for all masks them all; grey is cut at one half", () => {
  const [white, black, light, dark] = [1, 0, 0.5, 0.49].map((value) =>
    new Tensor(new Float32Array(16).fill(value), [1, 1, 4, 4])
  );
  const rows = (mask: Tensor, batch: number) =>
    Array.from({ length: batch }, (_, i) => [...latentMask(mask, [batch, 4, 2, 2]).at(i).data]);
  const [kept, drawn] = [0, 1].map((value) => Array<number>(16).fill(value));
  equal(rows(Tensor.concat([white, black]), 2), [drawn, kept]);
  equal(rows(Tensor.concat([dark, light]), 2), [kept, drawn]);
  equal(rows(white, 3), [drawn, drawn, drawn]);
});
