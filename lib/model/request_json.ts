/** Requests in files. */

import * as v from "valibot";
import { INIT_NOISES, PREDICTIONS, RAMPS, SAMPLER_NAMES, SPACINGS } from "../diffusion/mod.ts";
import { NOISE_HABITS } from "../tensor/random/habits.ts";
import { NOISE_TYPES } from "../tensor/random/generator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { finite } from "../weights/config.ts";
import { type Request, seedsOf } from "./request.ts";

const size = v.object({ width: finite, height: finite });

const microConditioning = v.object({
  originalSize: v.optional(size),
  crop: v.optional(v.object({ top: finite, left: finite })),
  targetSize: v.optional(size),
});

/** A request as JSON: seeds as text, as JSON has no 64-bit numbers; noise is a tensor and stands elsewhere. */
export const requestSchema = v.looseObject({
  prompt: v.string(),
  negative: v.optional(v.string()),
  seed: v.array(v.pipe(v.string(), v.regex(/^-?\d{1,20}$/))),
  rng: v.optional(v.picklist(["cpu", "cuda"])),
  noiseType: v.optional(v.picklist(NOISE_TYPES)),
  noiseHabit: v.optional(v.picklist(NOISE_HABITS)),
  batch: v.optional(finite),
  initNoise: v.optional(v.picklist(INIT_NOISES)),
  /** Whether the noise was given, and not drawn from the seeds. */
  noise: v.optional(v.boolean(), false),
  /** Whether the run began from a picture or latent, which stands in the record as `init_image`. */
  image: v.optional(v.boolean(), false),
  /** Whether it was inpainted: the mask stands in the record as `mask_image`. */
  mask: v.optional(v.boolean(), false),
  strength: v.optional(finite),
  recipe: v.optional(v.string()),
  sampler: v.optional(v.picklist(SAMPLER_NAMES)),
  spacing: v.optional(v.picklist(SPACINGS)),
  prediction: v.optional(v.picklist(PREDICTIONS)),
  ramp: v.optional(v.picklist(RAMPS)),
  steps: v.optional(finite),
  timesteps: v.optional(v.array(finite)),
  sigmas: v.optional(v.array(finite)),
  guidance: v.optional(finite),
  guidanceRescale: v.optional(finite),
  guidanceInterval: v.optional(v.object({ from: finite, to: finite })),
  eta: v.optional(finite),
  microConditioning: v.optional(microConditioning),
  negativeMicroConditioning: v.optional(microConditioning),
  loraStrengths: v.optional(v.array(finite)),
  size: v.optional(size),
  unguarded: v.optional(v.boolean()),
});

/** A request as a file holds it: seeds as text; of tensors only whether they were given. Numbers as in `Request`. */
export interface RequestJson extends Omit<Request, "seed" | "noise" | "image" | "mask"> {
  /** Decimal text, one a picture: torch's seeds have 64 bits. */
  readonly seed: readonly string[];
  /** Whether the noise was given, and not drawn from the seeds. Default false. */
  readonly noise?: boolean;
  /** Whether the run began from a picture or a latent. Default false. */
  readonly image?: boolean;
  /** Whether it was inpainted. Default false. */
  readonly mask?: boolean;
}

export function requestJson(request: Request): v.InferInput<typeof requestSchema> {
  const { timesteps, sigmas, loraStrengths, noise, image, mask } = request;
  return {
    ...request,
    seed: seedsOf(request).map(String),
    noise: noise !== undefined,
    image: image !== undefined,
    mask: mask !== undefined,
    timesteps: timesteps && [...timesteps],
    sigmas: sigmas && [...sigmas],
    loraStrengths: loraStrengths && [...loraStrengths],
  };
}

/** The other way round, of a request that began from its seeds alone. Defaults that a file leaves out may be missing. */
export function parseSeeded(json: RequestJson): Request {
  return { ...json, seed: json.seed.map(BigInt), noise: undefined, image: undefined, mask: undefined };
}

/** The other way round. `noise`, `image` and `mask` are used where the request says that they were given. */
export function parseRequest(
  json: v.InferOutput<typeof requestSchema>,
  { noise, image, mask }: { readonly noise: Tensor; readonly image?: Tensor; readonly mask?: Tensor },
): Request {
  return {
    ...json,
    seed: json.seed.map(BigInt),
    noise: json.noise ? noise : undefined,
    image: json.image ? image : undefined,
    mask: json.mask ? mask : undefined,
  };
}
