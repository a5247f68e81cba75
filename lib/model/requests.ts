/** What a request means to a model: its plan, its size, whether there is room for it, and the step it begins with. */

import {
  latentMask,
  plan,
  type PlanOptions,
  type SchedulerConfig,
  type Trajectory,
  usesGuidance,
} from "../diffusion/mod.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { branch } from "./advance.ts";
import type { Conditioning, Size } from "./conditioning.ts";
import type { ModelOptions } from "./model_options.ts";
import type { Networks } from "./networks.ts";
import type { Precision } from "./precision.ts";
import { batchOf, type Request } from "./request.ts";
import { wantRoom } from "./room.ts";
import type { MemoryMode } from "./stage.ts";
import { type Draws, drawStart, latentShape, pictureSize, rowsFor, sizesFor, startLatent } from "./start.ts";
import { Step } from "./step.ts";

/** Reads requests for one model. `Model` says what its methods do and throw. */
export class Requests {
  readonly #checkpoint: Checkpoint;
  readonly #scheduler: SchedulerConfig;
  readonly #memory: MemoryMode;
  readonly #precision: Precision;
  readonly #networks: Networks;

  constructor({ checkpoint, scheduler, memory, precision }: ModelOptions, networks: Networks) {
    this.#checkpoint = checkpoint;
    this.#scheduler = scheduler;
    this.#memory = memory;
    this.#precision = precision;
    this.#networks = networks;
  }

  get defaultSize(): Size {
    const side = this.#checkpoint.unet.architecture.sampleSize * this.#networks.autoencoder.pixelsPerLatent;
    return { width: side, height: side };
  }

  plan(request: PlanOptions): Trajectory {
    return plan(request, this.#scheduler);
  }

  sizeOf(request: Pick<Request, "size" | "image" | "recipe">): Size {
    return pictureSize(request, this.#checkpoint, this.#networks.autoencoder.pixelsPerLatent) ?? this.defaultSize;
  }

  async begin(request: Request, signal?: AbortSignal): Promise<Step> {
    signal?.throwIfAborted();
    const { text, autoencoder, stages } = this.#networks;
    const started = performance.now();
    const encoded = text.elapsed;
    const trajectory = this.plan(request);
    this.#wantRoom(request, trajectory);
    const { inChannels } = this.#checkpoint.unet.architecture;
    const shape = latentShape(inChannels, this.sizeOf(request), autoencoder.pixelsPerLatent);
    const draws = drawStart(request, shape, autoencoder.encodes);
    const { noise, generators } = draws;
    const { image, mask } = request;
    const original = image && await this.#imageLatent(image, draws, signal);
    const latent = startLatent(request, trajectory, noise, original);
    const conditioning = await this.condition(request, trajectory, noise.shape[0], signal);
    signal?.throwIfAborted();
    return new Step({
      index: 0,
      latent,
      noise,
      request,
      trajectory,
      conditioning,
      inpainting: original && mask && { original, mask: latentMask(mask, noise.shape) },
      generators,
      history: [],
      timing: { unet: 0, step: performance.now() - started, text: text.elapsed - encoded },
      memory: stages.memory,
    });
  }

  /** The same place in the run under another request: a new plan, the schedule kept. */
  async branch(step: Step, changes: Partial<Request>, signal?: AbortSignal): Promise<Step> {
    const request: Request = { ...step.request, ...changes };
    const trajectory = { ...this.plan(request), schedule: step.trajectory.schedule };
    const [batch] = step.latent.shape;
    const conditioning = await this.condition(request, trajectory, batch, signal);
    return branch(step, { request, trajectory, conditioning });
  }

  /** The text encoders run. @param batch pictures */
  condition(request: Request, trajectory: Trajectory, batch: number, signal?: AbortSignal): Promise<Conditioning> {
    const sizes = sizesFor(request, this.sizeOf(request));
    const strengths = this.#networks.loras.strengths(request.loraStrengths);
    const guided = this.#guided(trajectory);
    return this.#networks.text.condition(request, { batch, sizes, guided, strengths, signal });
  }

  /** Whether the batch is doubled for guidance; a network that is told of guidance takes it without. */
  #guided({ guidance }: Trajectory): boolean {
    return usesGuidance(guidance) && !this.#networks.denoiser.embedsGuidance;
  }

  #wantRoom(request: Request, trajectory: Trajectory): void {
    wantRoom(this.#checkpoint, {
      batch: batchOf(request),
      size: this.sizeOf(request),
      guided: this.#guided(trajectory),
      memory: this.#memory,
      precision: this.#precision,
    });
  }

  /** The clean latents that a run from an image starts from, one a picture of the batch. */
  async #imageLatent(image: Tensor, { encoding, noise }: Draws, signal: AbortSignal | undefined): Promise<Tensor> {
    const rows = rowsFor(image, noise.shape[0]);
    return encoding === undefined ? rows : await this.#networks.autoencoder.encode(rows, encoding, signal);
  }
}
