import { compareRuns, type Run } from "../../lib/diffusion/mod.ts";
import { initialNoise, torchGenerator } from "../../lib/tensor/random/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { equal, ok } from "../assert.ts";
import { readGolden } from "../goldens/read.ts";

const { tensors } = readGolden("run-tiny-deep.safetensors");
const run: Run = { name: "golden", tensors, seeds: [1, 2n ** 63n - 1n] };

/** The golden with some tensors replaced. */
function changed(changes: Record<string, Tensor>): Run {
  return { ...run, name: "other", tensors: new Map([...tensors, ...Object.entries(changes)]) };
}

function of(key: string): Tensor {
  const tensor = tensors.get(key);
  ok(tensor !== undefined, key);
  return tensor ?? Tensor.zeros([0]);
}

function causes(changes: Record<string, Tensor>, key: string, step: number | undefined, cause: RegExp): void {
  const comparison = compareRuns(changed(changes), run);
  equal([comparison.same, comparison.first?.key, comparison.first?.step], [false, key, step]);
  ok(cause.test(comparison.cause ?? ""), `${comparison.cause}`);
}

/** One row of a stack replaced. */
function withRow(key: string, row: number, tensor: Tensor): Tensor {
  const rows = Array.from({ length: of(key).shape[0] }, (_, i) => i === row ? tensor : of(key).at(i));
  return Tensor.stack(rows);
}

Deno.test("a run is the same as itself, in every key and step", () => {
  const comparison = compareRuns(run, run);
  equal([comparison.same, comparison.first, comparison.missing], [true, undefined, []]);
  // Seven keys, the start, three a step, the picture.
  equal(comparison.differences.length, 7 + 1 + 3 * 4 + 1);
});

Deno.test("the first difference is named, not those that follow from it", () => {
  const noise = initialNoise([1, 2n ** 63n - 1n], [4, 12, 8], { device: "cuda" }).noise;
  causes(
    { noise, latents: of("latents").times(2) },
    "noise",
    undefined,
    /random stream is not: other drew from .*CUDA/,
  );
});

Deno.test("ComfyUI draws a batch from one generator", () => {
  const noise = new Tensor(torchGenerator(1).randn(2 * 384).values, [2, 4, 12, 8]);
  causes({ noise }, "noise", undefined, /one for the whole batch \(ComfyUI\), golden from .* one per picture/);
});

Deno.test("noise that is only scaled, rounded or foreign is told apart", () => {
  causes({ noise: of("noise").times(14.5) }, "noise", undefined, /other's is 14\.5 times golden's/);
  causes({ noise: of("noise").map(Math.f16round) }, "noise", undefined, /half precision/);
  causes({ noise: of("noise").map((_, i) => Math.sin(i * i)) }, "noise", undefined, /Unrelated noise: another seed/);
});

Deno.test("zeros for the prompt that was left out", () => {
  const zeros = Tensor.zeros(of("negative_prompt_embeds").shape);
  const encoded = changed({ negative_prompt_embeds: zeros.map((_, i) => Math.cos(i)) });
  const { cause } = compareRuns(encoded, changed({ negative_prompt_embeds: zeros }));
  ok(/force_zeros_for_empty_prompt/.test(cause ?? ""), `${cause}`);
});

Deno.test("spacings are called by their names", () => {
  const timesteps = Tensor.of([999, 749, 499, 249]);
  causes({ timesteps }, "timesteps", undefined, /other is on trailing spacing, golden on leading/);
});

Deno.test("sigmas from another table, and from another schedule", () => {
  causes(
    { sigmas: of("sigmas").times(1 + 4e-6) },
    "sigmas",
    undefined,
    /two tables: ComfyUI computes its sigmas in double/,
  );
  causes({ sigmas: of("sigmas").times(1.1) }, "sigmas", undefined, /timesteps agree, the noise levels do not/);
});

Deno.test("the start of ComfyUI and of diffusers' trailing", () => {
  const sigma = of("sigmas").data[0];
  const latents = withRow("latents", 0, of("latents").at(0).times(sigma / Math.hypot(sigma, 1)));
  causes({ latents }, "latents", 0, /by σ \(diffusers' trailing\), the other by √\(σ² \+ 1\)/);
});

Deno.test("the start of samplers that add noise and of those that mix it, whichever run is named first", () => {
  const sigma = of("sigmas").data[0];
  for (const factor of [sigma, 1 / sigma]) {
    const latents = withRow("latents", 0, of("latents").at(0).times(factor));
    causes({ latents }, "latents", 0, /adds noise to the picture \(Euler\), the other mixes the two/);
  }
});

Deno.test("the step at which two runs part, and which half of it", () => {
  const off = (key: string, step: number) => ({
    [key]: withRow(key, step, of(key).at(step).map((value, i) => value + Math.sin(i))),
  });
  causes(off("prediction", 0), "prediction", 0, /From the same noise, text and timestep.* other weights/);
  causes(off("prediction", 2), "prediction", 2, /same latent before step 3/);
  causes(off("denoised", 1), "denoised", 1, /another prediction type/);
  causes(off("latents", 3), "latents", 3, /Step 3 starts and sees the same, and lands elsewhere: another sampler/);
  const silent = new Map(tensors);
  silent.delete("prediction");
  silent.delete("denoised");
  const other = changed(off("latents", 3));
  for (
    const [a, b] of [[other, { ...run, tensors: silent }], [{
      ...other,
      tensors: new Map([...silent, ...Object.entries(off("latents", 3))]),
    }, run]]
  ) {
    const { cause } = compareRuns(a, b);
    ok(/The latents part at step 3: .* Record predictions/.test(cause ?? ""), `${cause}`);
  }
  causes({ image: of("image").map((value) => 1 - value) }, "image", undefined, /another VAE/);
});

Deno.test("shapes, missing keys and tolerances", () => {
  causes(
    { noise: of("noise").slice(0, 1) },
    "noise",
    undefined,
    /\[1, 4, 12, 8\] in other and \[2, 4, 12, 8\] in golden/,
  );
  const { missing } = compareRuns({ ...run, tensors: new Map([["noise", of("noise")]]) }, run);
  ok(missing.includes("latents") && !missing.includes("noise"), `${missing}`);
  const halves = changed({ prediction: of("prediction").map(Math.f16round) });
  equal([compareRuns(halves, run).same, compareRuns(halves, run, { tolerance: 10 }).same], [false, true]);
});
