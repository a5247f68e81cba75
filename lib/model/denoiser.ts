/** One run of the U-Net, as guidance wants it. */

import { guidanceAt, guidanceEmbedding, guided, samplers, type Trajectory, usesGuidance } from "../diffusion/mod.ts";
import type { Lowering } from "../graph/builder.ts";
import { buildUnet } from "../graph/unet.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { UnetArchitecture } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import { wantFinite } from "./finite.ts";
import type { Loras } from "./loras.ts";
import type { Stages } from "./stage.ts";
import type { Step } from "./step.ts";

export interface DenoiserOptions {
  readonly unet: Part<UnetArchitecture>;
  readonly stages: Stages;
  /** Asked when the U-Net is loaded. */
  readonly lowering: () => Promise<Lowering>;
  readonly loras: Loras;
}

export interface Predicted {
  /** The network's output after guidance, `[batch, 4, height/8, width/8]` */
  readonly output: Tensor;
  /** Milliseconds of the network alone. */
  readonly unet: number;
}

export class Denoiser {
  readonly #options: DenoiserOptions;

  constructor(options: DenoiserOptions) {
    this.#options = options;
  }

  /** Whether the U-Net was distilled with guidance: it takes the scale as an input, and needs no unconditional half. */
  get embedsGuidance(): boolean {
    return this.#options.unet.architecture.timeCondDim !== undefined;
  }

  /** @throws RangeError when the network gives NaN or infinity */
  async predict({ conditioning, trajectory, latent, index, request }: Step): Promise<Predicted> {
    const { unet: { architecture, weights }, stages, lowering, loras } = this.#options;
    const { timesteps, sigmas } = trajectory.schedule;
    const input = samplers[trajectory.sampler].scaleInput(latent, sigmas[index]);
    const scale = guidanceAt(trajectory, index);
    const guides = conditioning.guided && usesGuidance(scale);
    const sample = guides ? Tensor.concat([input, input]) : input;
    const [rows] = sample.shape;
    const { context, pooled, timeIds } = conditioning.rows(guides);
    const feeds = {
      sample,
      timestep: Tensor.of(Array<number>(rows).fill(timesteps[index])),
      encoder_hidden_states: context,
      text_embeds: pooled,
      time_ids: timeIds,
      ...this.#embeddedGuidance(trajectory, rows),
      ...loras.feeds("unet", loras.strengths(request.loraStrengths)),
    };
    const build = async () =>
      buildUnet(architecture, weights, { lowering: await lowering(), adapters: loras.adapters("unet") });
    let unet = 0;
    const outputs = await stages.use("unet", build, async (session) => {
      const started = performance.now();
      const results = await session.run(feeds);
      unet = performance.now() - started;
      return results;
    });
    const raw = outputs.get("out_sample");
    if (raw === undefined) throw new Error("Cannot take the step: the U-Net's graph gave no out_sample.");
    wantFinite(raw, `the U-Net's output at step ${index + 1} (timestep ${timesteps[index]})`);
    if (!guides) return { output: raw, unet };
    const half = rows / 2;
    const [unconditional, conditional] = [raw.slice(0, half), raw.slice(half, rows)];
    return { output: guided(unconditional, conditional, scale, trajectory.guidanceRescale), unet };
  }

  #embeddedGuidance({ embeddedGuidance, guidance }: Trajectory, rows: number): { readonly timestep_cond?: Tensor } {
    const { timeCondDim } = this.#options.unet.architecture;
    if (timeCondDim === undefined) return {};
    const embedding = guidanceEmbedding(embeddedGuidance ?? guidance, timeCondDim);
    return { timestep_cond: Tensor.concat(Array<Tensor>(rows).fill(embedding)) };
  }
}
