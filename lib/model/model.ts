/** An opened checkpoint with its sessions: begin, next, steps, decode. */

import type { PlanOptions, Trajectory } from "../diffusion/mod.ts";
import type { Observable, Observe } from "../graph/observable.ts";
import type { Memory } from "../measure/memory.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { advance, wantUnfinished } from "./advance.ts";
import type { Conditioning, Size } from "./conditioning.ts";
import type { LoadedLora } from "./loras.ts";
import type { DecodeOptions, ModelOptions } from "./model_options.ts";
import { Networks } from "./networks.ts";
import { type ObserveOptions, resolveLayers } from "./observed.ts";
import type { Precision } from "./precision.ts";
import { describeParts, type PartDescription } from "./prepared.ts";
import type { Overrides, Request, RunOptions } from "./request.ts";
import { Requests } from "./requests.ts";
import type { RunRecord } from "./record.ts";
import { recordedConditioning, replay } from "./replay.ts";
import type { Runtime } from "./sessions/session.ts";
import { sizesFor } from "./start.ts";
import type { ModelSource } from "./source.ts";
import { type Generated, Step } from "./step.ts";
import { isStop, reasonToStop, stopped } from "./stop.ts";

/** An opened checkpoint: begins, steps, decodes. `open` makes it. */
export class Model {
  /** What it is made of: weights and architecture of each part. */
  readonly checkpoint: Checkpoint;
  /** The path and options that it was opened with. */
  readonly source: ModelSource;
  /** The checkpoint as it was published: before LoRAs were fused into it. */
  readonly published: Checkpoint;
  /** What computes. */
  readonly runtime: Runtime;
  readonly #options: ModelOptions;
  /** What it computes in. */
  readonly precision: Precision;
  #onClose: (() => Promise<void>) | undefined;
  readonly #networks: Networks;
  readonly #requests: Requests;
  #stopped: Step | undefined;

  /** Use `open`. */
  constructor(options: ModelOptions) {
    const { checkpoint, source, published = checkpoint, runtime, precision } = options;
    this.#options = options;
    this.checkpoint = checkpoint;
    this.source = source;
    this.published = published;
    this.runtime = runtime;
    this.precision = precision;
    this.#onClose = options.onClose;
    this.#networks = new Networks(options);
    this.#requests = new Requests(options, this.#networks);
  }

  /** How each part is computed: runtime, precision, which operators its layers become and why. */
  get description(): readonly PartDescription[] {
    return describeParts(this.runtime, this.precision);
  }

  /** The process's memory now, and what each stage that has run took: text encoders, U-Net, VAE. */
  get memory(): Memory {
    return this.#networks.stages.memory;
  }

  /** The LoRAs that the model was opened with, and their strengths where a request does not say otherwise. */
  get loras(): readonly LoadedLora[] {
    return this.#networks.loras.loaded;
  }

  /** The LoRAs that stand beside the weights; those that were fused are in them already. */
  get branches(): readonly LoadedLora[] {
    return this.#networks.loras.branches;
  }

  /** Pixels a latent's cell stands for: 8 in SDXL. */
  get pixelsPerLatent(): number {
    return this.#networks.autoencoder.pixelsPerLatent;
  }

  /** The picture size that the model was made for, in pixels. */
  get defaultSize(): Size {
    return this.#requests.defaultSize;
  }

  /** Layers of the U-Net that can be observed, in its order, as diffusers names them. */
  get observable(): readonly Observable[] {
    return this.#networks.denoiser.observable;
  }

  /**
   * What runs are to look at: `model.steps(request, { observe: model.observe(["*.attn2"]) })`. The U-Net is then loaded
   * with extra outputs, in the place of the one without.
   *
   * @param layers of `observable`, or patterns; `*` stands for any letters. @throws RangeError where one fits no layer
   */
  observe(layers: readonly string[], { heads = "mean" }: ObserveOptions = {}): Observe {
    return { layers: resolveLayers(layers, this.observable), heads };
  }

  /** What a request resolves to: sampler, schedule, prediction type, guidance. Nothing is run. @throws as `begin` */
  plan(request: PlanOptions): Trajectory {
    return this.#requests.plan(request);
  }

  /** The size that a request's picture will have, in pixels. A single file tells none: its recipe does. */
  sizeOf(request: Pick<Request, "size" | "image" | "recipe">): Size {
    return this.#requests.sizeOf(request);
  }

  /**
   * Pure noise, or the request's image with noise on it, and everything that the run needs. The text encoders run; the
   * U-Net does not.
   *
   * @throws RangeError when the recipe's guards or the size refuse; the reason of `signal` when it was aborted
   */
  begin(request: Request, { signal }: RunOptions = {}): Promise<Step> {
    return this.#requests.begin(request, signal);
  }

  /**
   * One denoising step. `step` stays as it is, so it can be taken again, or another way.
   *
   * @param overrides what to do differently from here on
   * @throws RangeError when nothing is left to denoise, or the network gives NaN or infinity; the reason of a stop,
   *   after which `stopped` has the step
   */
  async next(step: Step, overrides: Partial<Overrides> = {}): Promise<Step> {
    const reason = await reasonToStop(overrides.signal);
    if (reason !== undefined) {
      this.#stopped = step;
      throw reason;
    }
    wantUnfinished(step);
    try {
      return await this.#step(step, overrides);
    } catch (error) {
      const stop = isStop(error);
      if (stop || overrides.signal?.aborted) this.#stopped = step;
      throw stop ? stopped() : error;
    }
  }

  async #step(step: Step, { signal, observe, ...changes }: Partial<Overrides>): Promise<Step> {
    const from = Object.keys(changes).length === 0 ? step : await this.#requests.branch(step, changes, signal);
    const started = performance.now();
    const { output, unet, observed } = await this.#networks.denoiser.predict(from, { observe, signal });
    return advance(from, output, () => ({
      timing: { unet, step: performance.now() - started },
      memory: this.memory,
      observed,
    }));
  }

  /**
   * Goes back into a recorded run. The sampler is replayed on the recorded outputs of the network, so its history and
   * random streams stand as they stood, and nothing is loaded.
   *
   * @param index how many denoising steps of the record to keep; default all that it has
   * @throws RangeError when the record has no such step, or this kit's sampler would not have made its latents
   */
  async resume(record: RunRecord, { index }: { readonly index?: number } = {}): Promise<Step> {
    const conditionOf = (request: Request, trajectory: Trajectory): Promise<Conditioning> =>
      request === record.request
        ? Promise.resolve(recordedConditioning(record, sizesFor(request, this.sizeOf(request))))
        : this.#requests.condition(request, trajectory, record.noise.shape[0]);
    return await replay(record, {
      index,
      encodes: this.#networks.autoencoder.encodes,
      planOf: (request) => this.plan(request),
      conditionOf,
    });
  }

  /** The step that the last run to be stopped had reached. @throws RangeError where none was */
  get stopped(): Step {
    if (this.#stopped) return this.#stopped;
    throw new RangeError("Cannot go on: no run of this model was stopped. Begin one: model.steps(request).");
  }

  /** A whole run, or the rest of one from a step on. The first that is yielded has been denoised once more. */
  async *steps(from: Request | Step, options: RunOptions = {}): AsyncGenerator<Step, void, void> {
    let step = from instanceof Step ? from : await this.begin(from, options);
    while (!step.done) {
      step = await this.next(step, options);
      yield step;
    }
  }

  /**
   * Latents as a picture, by the VAE: a step's latent, or any latent `[batch, 4, height/8, width/8]`.
   *
   * @param options `by: "preview"` decodes with the small autoencoder that the model was opened with;
   *   `tile: 512` decodes in tiles, for pictures that are too large for the memory
   * @returns `[batch, 3, height, width]` in 0..1
   * @throws RangeError when a preview is asked for and the model has none
   */
  decode(latent: Step | Tensor, { by = "vae", ...options }: DecodeOptions = {}): Promise<Tensor> {
    return this.#networks.decoder(by).decode(latent instanceof Step ? latent.latent : latent, options);
  }

  /** What `show`, `strip` and `grid` take as `decode` for quick pictures. @throws RangeError as `decode` */
  get preview(): { decode(latent: Tensor): Promise<Tensor> } {
    return this.#networks.decoder("preview");
  }

  /**
   * A picture as a latent, by the VAE.
   *
   * @param picture `[batch, 3, height, width]` in 0..1
   * @param noise unit normal, `[batch, 4, height/8, width/8]`, to sample the encoder's distribution with. Default: its mean
   * @returns `[batch, 4, height/8, width/8]`, in the scale that samplers work in
   */
  encode(picture: Tensor, noise?: Tensor): Promise<Tensor> {
    return this.#networks.autoencoder.encode(picture, noise);
  }

  /** From request to picture in one call. */
  async generate(
    request: Request,
    { signal, observe, onStep }: RunOptions & { readonly onStep?: (step: Step) => void } = {},
  ): Promise<Generated> {
    const t0 = performance.now();
    let step = await this.begin(request, { signal });
    const t1 = performance.now();
    while (!step.done) {
      step = await this.next(step, { signal, observe });
      onStep?.(step);
    }
    const t2 = performance.now();
    const image = await this.decode(step, { signal });
    const timing = { begin: t1 - t0, steps: t2 - t1, decode: performance.now() - t2 };
    return { step, image, timing, memory: this.memory };
  }

  /** The same model on another runtime, one part in memory at a time. This one's parts are released first. */
  async on(runtime: Runtime): Promise<Model> {
    await this.#networks.stages.rest();
    return new Model({ ...this.#options, runtime, memory: "lean", onClose: undefined });
  }

  /** Gives all memory back. The model cannot be used afterwards. */
  async close(): Promise<void> {
    await this.#networks.stages.close();
    const onClose = this.#onClose;
    this.#onClose = undefined; // closing twice is fine
    await onClose?.();
  }

  /** As `close`, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
