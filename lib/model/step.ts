/** The value between two denoising steps. Everything needed to go on lives in it; nothing in it ever changes. */

import type { Trajectory } from "../diffusion/mod.ts";
import type { Memory } from "../measure/memory.ts";
import type { Generator } from "../tensor/random/mod.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Conditioning } from "./conditioning.ts";
import type { Observed } from "./observed.ts";
import type { Request } from "./request.ts";

/** Milliseconds of wall time. */
export interface Timing {
  /** The network itself: `session.run` of the U-Net, both halves of the guidance together. */
  readonly unet: number;
  /** The whole step, the network included. */
  readonly step: number;
  /** Of a run's start: both text encoders, loading them included; 0 where the texts were remembered. */
  readonly text?: number;
}

/** What one run of the network gave. */
export interface Prediction {
  /** x0, the network's guess of the finished latent, `[batch, 4, height/8, width/8]`. */
  readonly denoised: Tensor;
  /** The network's output after guidance, same shape. */
  readonly output: Tensor;
  /** The noise level that the network was told: the model's timestep, 0..999, and its sigma. */
  readonly timestep: number;
  /** Noise over signal at that timestep. */
  readonly sigma: number;
}

/** What inpainting keeps of a picture. */
export interface Inpainting {
  /** The picture's clean latent, `[batch, 4, height/8, width/8]`. */
  readonly original: Tensor;
  /** 1 where it is drawn anew, 0 where it is kept, same shape. */
  readonly mask: Tensor;
}

/** What a step is made of, as `Step` describes it: for those who build one by hand. */
export interface StepFields {
  /** Denoising steps taken: 0 is pure noise. */
  readonly index: number;
  /** x_t, `[batch, 4, height/8, width/8]`. */
  readonly latent: Tensor;
  /** Unit normal noise that the run began with, same shape. */
  readonly noise: Tensor;
  /** What was asked for. */
  readonly request: Request;
  /** What that resolves to. */
  readonly trajectory: Trajectory;
  /** Prompt and sizes, as the network takes them. */
  readonly conditioning: Conditioning;
  /** Random streams as they stand after this step: one a picture, or one for all. */
  readonly generators: readonly Generator[];
  /** Earlier outputs that a multistep sampler looks back on, newest last; empty for the others. */
  readonly history: readonly Tensor[];
  /** Milliseconds that it took. */
  readonly timing: Timing;
  /** Bytes of the process after it. */
  readonly memory: Memory;
  /** Where the request has a mask. */
  readonly inpainting?: Inpainting;
  /** What the network gave. Left out at a run's start. */
  readonly predicted?: Prediction;
  /** What was seen inside the network, where the run was told to look. */
  readonly observed?: Observed;
  /** The step that this one was taken from. Left out at a run's start. */
  readonly previous?: Step;
}

/** The value between two denoising steps: everything needed to go on. `model.begin` and `model.next` make it. */
export class Step {
  /** Denoising steps taken: 0 is pure noise. */
  readonly index: number;
  /** x_t, what the sampler holds now, `[batch, 4, height/8, width/8]`. */
  readonly latent: Tensor;
  /** Unit normal noise that the run began with, before scaling, same shape. */
  readonly noise: Tensor;
  /** What was asked for. */
  readonly request: Request;
  /** The resolved sampler, schedule, prediction type and guidance. */
  readonly trajectory: Trajectory;
  /** Prompt and sizes, as the network takes them. */
  readonly conditioning: Conditioning;
  /** Random streams as they stand after this step: one a picture of the batch, or one for all. */
  readonly generators: readonly Generator[];
  /** Earlier outputs that a multistep sampler looks back on, newest last. */
  readonly history: readonly Tensor[];
  /** Milliseconds that it took. */
  readonly timing: Timing;
  /** Bytes of the process after it. */
  readonly memory: Memory;
  /** What was seen inside the network, where the run was told to look: `model.observe([…])`. Records do not keep it. */
  readonly observed: Observed | undefined;
  /** Where the request has a mask. */
  readonly inpainting: Inpainting | undefined;
  /** The step that this one was taken from. */
  readonly previous: Step | undefined;
  readonly #predicted: Prediction | undefined;

  /** Use `model.begin` and `model.next`. */
  constructor(fields: StepFields) {
    this.index = fields.index;
    this.latent = fields.latent;
    this.noise = fields.noise;
    this.request = fields.request;
    this.trajectory = fields.trajectory;
    this.conditioning = fields.conditioning;
    this.generators = fields.generators;
    this.history = fields.history;
    this.timing = fields.timing;
    this.memory = fields.memory;
    this.observed = fields.observed;
    this.inpainting = fields.inpainting;
    this.previous = fields.previous;
    this.#predicted = fields.predicted;
  }

  /** The same place in a run under another request: what branching begins with. */
  with(
    changes:
      & Pick<StepFields, "request" | "trajectory" | "conditioning">
      & Partial<Pick<StepFields, "latent" | "history" | "generators">>,
  ): Step {
    return new Step({ ...this, predicted: this.#predicted, ...changes });
  }

  /** Denoising steps in all. */
  get count(): number {
    return this.trajectory.schedule.timesteps.length;
  }

  /** Whether nothing is left to denoise. */
  get done(): boolean {
    return this.index >= this.count;
  }

  /** Noise level that `latent` has now; 0 when done. */
  get sigmaNext(): number {
    return this.trajectory.schedule.sigmas[this.index];
  }

  /** Noise level at which the network looked; before the first step, the level of the start. */
  get sigma(): number {
    return this.#predicted?.sigma ?? this.sigmaNext;
  }

  /** The model's timestep, 0..999, at which the network looked; before the first step, the first of the schedule. */
  get timestep(): number {
    return this.#predicted?.timestep ?? this.trajectory.schedule.timesteps[0];
  }

  /** x0, the network's guess of the finished latent, `[batch, 4, height/8, width/8]`. @throws RangeError at step 0. */
  get denoised(): Tensor {
    return this.#ofNetwork("denoised").denoised;
  }

  /** The network's output after guidance, `[batch, 4, height/8, width/8]`. @throws RangeError at step 0. */
  get prediction(): Tensor {
    return this.#ofNetwork("prediction").output;
  }

  /** Every step from pure noise to this one. */
  get path(): readonly Step[] {
    return this.previous ? [...this.previous.path, this] : [this];
  }

  #ofNetwork(field: string): Prediction {
    if (this.#predicted === undefined) {
      throw new RangeError(
        `Cannot read ${field} of step 0: the network has not run yet. Take a step first: model.next(step).`,
      );
    }
    return this.#predicted;
  }
}

/** A finished run. */
export interface Generated {
  /** The last step; `step.path` has all of them. */
  readonly step: Step;
  /** `[batch, 3, height, width]` in 0..1 */
  readonly image: Tensor;
  /** Milliseconds of wall time. */
  readonly timing: { readonly begin: number; readonly steps: number; readonly decode: number };
  /** Bytes of the process after the picture, and what text encoders, U-Net and VAE took. */
  readonly memory: Memory;
}
