/** Whole runs against diffusers' in float32 on the CPU, step by step. Goldens: tests/goldens/runs.py. */

import type { SamplerName, Spacing } from "fewstep/diffusion/mod.ts";
import { open, type OpenOptions, type Request, type Step, type Tensor } from "fewstep";
import { close, equal, ok } from "../assert.ts";
import { goldenPath, readGolden } from "../goldens/read.ts";

const POCKET = new URL("../../models/pocket/", import.meta.url).pathname;

interface Case {
  readonly golden: string;
  readonly model: string;
  readonly options?: OpenOptions;
  readonly request: Request;
  /** Relative L2 of every tensor. Default: the kit's promise, 1e-4 up to 8 steps, 1e-3 above. */
  readonly tolerance?: number;
}

const PORTRAIT = "close up, woman, headdress, neon iridescent tattoos, snow forest, intricate, 8k, " +
  "cinematic lighting, volumetric lighting, 8k";

const CASES: readonly Case[] = [
  {
    golden: "run-pocket-base",
    model: `${POCKET}base`,
    request: { prompt: PORTRAIT, seed: 55986344589, steps: 50, guidance: 4.5 },
  },
  {
    golden: "run-pocket-lightning",
    model: `${POCKET}base`,
    options: { unet: `${POCKET}lightning_4step_unet.safetensors` },
    request: { prompt: PORTRAIT, seed: 55986344589, recipe: "lightning-4step" },
  },
  {
    golden: "run-tiny-deep",
    model: goldenPath("tiny-deep"),
    request: {
      prompt: "A neon fish!",
      seed: [1, 2n ** 63n - 1n],
      steps: 4,
      guidance: 5,
      size: { width: 64, height: 96 },
    },
  },
  {
    golden: "run-tiny-sdxl",
    model: goldenPath("tiny-sdxl"),
    request: { prompt: "neon fish, snow", seed: 11, steps: 4, guidance: 4, size: { width: 64, height: 64 } },
  },
  {
    golden: "run-tiny-sharded",
    model: goldenPath("tiny-sharded"),
    request: {
      prompt: "gold splashes",
      negative: "snow",
      seed: 7,
      steps: 4,
      guidance: 3.5,
      size: { width: 96, height: 64 },
    },
    // Zero terminal SNR: the start is 4,096 times the noise, so a last bit there is 1e-3 of what is left at step 1.
    tolerance: 5e-4,
  },
  {
    golden: "run-tiny-variant",
    model: goldenPath("tiny-variant"),
    request: { prompt: "", seed: [2 ** 32 + 7, -1], steps: 2, guidance: 2, size: { width: 64, height: 64 } },
  },
];

Deno.test("sizes that the network is told, for both halves of the guidance: every latent of diffusers", async () => {
  const golden = readGolden("run-micro-conditioning.safetensors");
  await using model = await open(goldenPath("tiny-sdxl"));
  const { step } = await model.generate({
    prompt: "snow",
    seed: 2,
    steps: 2,
    guidance: 4,
    size: { width: 64, height: 48 },
    microConditioning: {
      originalSize: { height: 96, width: 128 },
      crop: { top: 8, left: 16 },
      targetSize: { height: 40, width: 80 },
    },
    negativeMicroConditioning: {
      originalSize: { height: 32, width: 24 },
      crop: { top: 1, left: 2 },
      targetSize: { height: 56, width: 72 },
    },
  });
  step.path.forEach(({ latent }, i) => close(latent.data, golden.get("latents").at(i).data, 1e-4, `latents ${i}`));
  const [plain] = await Array.fromAsync(
    model.steps({ prompt: "snow", seed: 2, steps: 2, guidance: 4, size: { width: 64, height: 48 } }),
  );
  ok(
    plain.latent.data.some((value, i) => Math.abs(value - step.path[1].latent.data[i]) > 1e-3),
    "the sizes changed nothing",
  );
});

/** Sampler runs on the tiny model: two seeds, each with noise of its own at every step. */
const SAMPLERS: readonly (readonly [SamplerName, Spacing, number?])[] = [
  ["euler-ancestral", "trailing"],
  ["heun", "trailing"],
  ["ddim", "trailing", 0.6],
  ["dpmpp-2m", "trailing"],
  ["dpmpp-2m-sde", "trailing"],
  ["lcm", "lcm"],
  ["tcd", "lcm", 0.3],
];

for (const [sampler, spacing, eta] of SAMPLERS) {
  Deno.test(`${sampler}: every latent of diffusers, noise from each picture's own generator`, async () => {
    const golden = readGolden(`run-sampler-${sampler}.safetensors`);
    await using model = await open(goldenPath("tiny-deep"));
    const options: Request = {
      recipe: "none",
      prompt: "gold",
      seed: [3, 2 ** 40 + 1],
      steps: 4,
      sampler,
      spacing,
      eta,
    };
    let step = await model.begin({ ...options, guidance: 0, size: { width: 48, height: 64 } });
    equal([...step.trajectory.schedule.timesteps], [...golden.get("timesteps").data], "timesteps");
    while (!step.done) {
      step = await model.next(step);
      close(step.prediction.data, golden.get("prediction").at(step.index - 1).data, 1e-4, `prediction ${step.index}`);
      close(step.latent.data, golden.get("latents").at(step.index).data, 1e-4, `latents ${step.index}`);
    }
  });
}

for (const { golden: name, model: path, options, request, ...rest } of CASES) {
  Deno.test(`${name}: every latent of diffusers, from the seed to the picture`, async () => {
    const golden = readGolden(`${name}.safetensors`);
    await using model = await open(path, options);
    let step: Step = await model.begin(request);

    const { schedule } = step.trajectory;
    equal([...schedule.timesteps], [...golden.get("timesteps").data], "timesteps");
    close(schedule.sigmas, golden.get("sigmas").data, 1e-6, "sigmas");
    close(step.noise.data, golden.get("noise").data, 1e-6, "noise");
    const { conditioning } = step;
    close(conditioning.promptEmbeds.data, golden.get("prompt_embeds").data, 1e-5, "prompt_embeds");
    close(conditioning.pooledPromptEmbeds.data, golden.get("pooled_prompt_embeds").data, 1e-5, "pooled_prompt_embeds");
    equal(conditioning.guided, golden.tensors.has("negative_prompt_embeds"), "guidance");
    if (conditioning.guided) {
      const { negativePromptEmbeds, negativePooledPromptEmbeds } = conditioning;
      close(
        negativePromptEmbeds?.data ?? [],
        golden.get("negative_prompt_embeds").data,
        1e-5,
        "negative_prompt_embeds",
      );
      const pooled = golden.get("negative_pooled_prompt_embeds").data;
      close(negativePooledPromptEmbeds?.data ?? [], pooled, 1e-5, "negative_pooled_prompt_embeds");
    }

    const tolerance = rest.tolerance ?? (step.count <= 8 ? 1e-4 : 1e-3);
    let held = 0;
    /** Of the 50 steps of a long run the golden holds some; of few steps all. */
    const hold = (key: string, i: number, { data }: Tensor) => {
      const wanted = golden.row(key, i);
      if (wanted === undefined) return;
      close(data, wanted.data, tolerance, `${key} ${i}`);
      held++;
    };
    hold("latents", 0, step.latent);
    while (!step.done) {
      step = await model.next(step);
      const i = step.index - 1;
      hold("prediction", i, step.prediction);
      hold("denoised", i, step.denoised);
      hold("latents", i + 1, step.latent);
    }
    const rows = (key: string) => golden.get(key).shape[0];
    equal(held, rows("prediction") + rows("denoised") + rows("latents"), "all that the golden holds");

    const image = await model.decode(step);
    const wanted = golden.get("image");
    equal(image.shape, wanted.shape, "image");
    close(image.data, wanted.data, tolerance, "image");
    const worst = image.data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - wanted.data[i])), 0);
    ok(worst <= 2 / 255, `the worst pixel is off by ${(worst * 255).toFixed(2)}/255, allowed are 2/255`);
  });
}
