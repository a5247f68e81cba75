/** One run of the U-Net, as guidance wants it. */

import { guidanceAt, guidanceEmbedding, guided, samplers, type Trajectory, usesGuidance } from "../diffusion/mod.ts";
import type { Lowering, Network } from "../graph/builder.ts";
import type { Observable, Observe } from "../graph/observable.ts";
import { buildUnet } from "../graph/unet.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Word } from "../text/tokenizer.ts";
import type { UnetArchitecture } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import { type GuidancePasses, GuidedRuns } from "./guidance_passes.ts";
import type { Loras } from "./loras.ts";
import { type Observed, readObserved } from "./observed.ts";
import type { PreparedUnet } from "./prepared.ts";
import type { SessionRunOptions } from "./sessions/session.ts";
import type { Stages } from "./stage.ts";
import type { Step } from "./step.ts";

export interface DenoiserOptions {
  readonly unet: Part<UnetArchitecture>;
  readonly stages: Stages;
  readonly lowering: Lowering;
  /** Asked when the U-Net is loaded: what runs it may have to be made of its weights. */
  readonly prepared: () => Promise<PreparedUnet>;
  readonly passes: GuidancePasses;
  readonly loras: Loras;
  /** The words of a prompt, which attention to it is told by. */
  readonly words: (prompt: string) => Promise<readonly Word[]>;
}

export interface Predicted {
  /** The network's output after guidance, `[batch, 4, height/8, width/8]` */
  readonly output: Tensor;
  /** Milliseconds of the network alone. */
  readonly unet: number;
  /** What was asked for by `observe`. */
  readonly observed: Observed | undefined;
}

export interface PredictOptions extends SessionRunOptions {
  readonly observe?: Observe;
}

export class Denoiser {
  readonly #options: DenoiserOptions;
  readonly #guided: GuidedRuns;
  #observable: readonly Observable[] | undefined;

  constructor(options: DenoiserOptions) {
    this.#options = options;
    this.#guided = new GuidedRuns(options.passes);
  }

  /** Whether the U-Net was distilled with guidance: it takes the scale as an input, and needs no unconditional half. */
  get embedsGuidance(): boolean {
    return this.#options.unet.architecture.timeCondDim !== undefined;
  }

  /** Layers that can be observed. */
  get observable(): readonly Observable[] {
    const { unet, lowering } = this.#options;
    return this.#observable ??= this.#build({ unet, lowering }).observable;
  }

  /**
   * @throws RangeError when the network gives NaN or infinity, naming the layer; the reason of `signal` when it was aborted
   */
  async predict(
    { conditioning, trajectory, latent, index, request }: Step,
    { observe, signal }: PredictOptions = {},
  ): Promise<Predicted> {
    const { stages, loras } = this.#options;
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
    let unet = 0;
    const outputs = await stages.use("unet", () => this.#prepare(observe), async (session, options) => {
      const started = performance.now();
      const results = guides
        ? await this.#guided.run(session, feeds, rows, options)
        : await session.run(feeds, options);
      unet = performance.now() - started;
      return results;
    }, { signal, variant: observe && [observe.heads, ...observe.layers].join(" ") });
    const raw = outputs.get("out_sample");
    if (raw === undefined) throw new Error("Cannot take the step: the U-Net's graph gave no out_sample.");
    const what = `the U-Net's output at step ${index + 1} (timestep ${timesteps[index]})`;
    await stages.wantFinite("unet", () => this.#prepare(), feeds, raw, what);
    const words = observe ? await this.#options.words(request.prompt) : [];
    const observed = observe && readObserved(outputs, observe, { latent: latent.shape, guided: guides, words });
    if (!guides) return { output: raw, unet, observed };
    const half = rows / 2;
    const [unconditional, conditional] = [raw.slice(0, half), raw.slice(half, rows)];
    return { output: guided(unconditional, conditional, scale, trajectory.guidanceRescale), unet, observed };
  }

  async #prepare(observe?: Observe): Promise<Network> {
    return this.#build(await this.#options.prepared(), observe);
  }

  #build({ unet: { architecture, weights }, lowering }: PreparedUnet, observe?: Observe): Network {
    return buildUnet(architecture, weights, { lowering, adapters: this.#options.loras.adapters("unet"), observe });
  }

  #embeddedGuidance({ embeddedGuidance, guidance }: Trajectory, rows: number): { readonly timestep_cond?: Tensor } {
    const { timeCondDim } = this.#options.unet.architecture;
    if (timeCondDim === undefined) return {};
    const embedding = guidanceEmbedding(embeddedGuidance ?? guidance, timeCondDim);
    return { timestep_cond: Tensor.concat(Array<Tensor>(rows).fill(embedding)) };
  }
}
