/** Where a run starts: pure noise, or a picture with noise on it. */

import { noised, recipes, samplers, timeIds, type Trajectory } from "../diffusion/mod.ts";
import { generatorsByHabit } from "../tensor/random/habits.ts";
import { batchNoise, type Generator } from "../tensor/random/mod.ts";
import { formatShape, type Shape, Tensor } from "../tensor/tensor.ts";
import type { AutoencoderArchitecture } from "../weights/architecture.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { SDXL_SAMPLE_SIZE } from "../weights/infer.ts";
import type { Size, Sizes } from "./conditioning.ts";
import { batchOf, type Request, seedsOf } from "./request.ts";

export interface Draws {
  /** What the VAE's encoder samples a picture's latent with; drawn before the run's own noise, as in diffusers. */
  readonly encoding: Tensor | undefined;
  /** Unit normal, `[batch, 4, height/8, width/8]` */
  readonly noise: Tensor;
  /** One a picture or one for all, as they stand afterwards. */
  readonly generators: readonly Generator[];
}

/** What a VAE makes of a picture. From a distribution a latent is drawn; a tiny autoencoder knows none. */
export type Encodes = "a distribution" | "a latent";

/**
 * Draws what a run begins with, from each picture's own generator or from one for all.
 *
 * @param shape one picture's latent, `[4, height/8, width/8]`
 * @throws RangeError when noise was given in another shape, or a mask without an image
 */
export function drawStart(request: Request, shape: Shape, encodes: Encodes): Draws {
  if (request.mask && request.image === undefined) {
    throw new RangeError("Cannot inpaint without an image: the mask says which part of it is drawn anew. Give one.");
  }
  const { noiseHabit = "each-own", rng: device, noiseType: type } = request;
  const [seeds, batch] = [seedsOf(request), batchOf(request)];
  if (noiseHabit !== "each-own" && seeds.length > 1) {
    throw new RangeError(
      `Cannot draw ${noiseHabit} from ${seeds.length} seeds: it takes one. Say how many with batch.`,
    );
  }
  const generators = generatorsByHabit(noiseHabit, seeds, { batch, device, type });
  const samples = encodes === "a distribution" && request.image !== undefined && !isLatent(request.image, shape);
  const encoding = samples ? batchNoise(generators, shape, batch) : undefined;
  const drawn = batchNoise(encoding?.generators ?? generators, shape, batch);
  const noise = request.noise ? wantNoise(request.noise, drawn.noise.shape) : drawn.noise;
  // diffusers encodes what the mask leaves too, for U-Nets that want to see it: a draw that only moves the stream on.
  const { generators: after } = request.mask && samples ? batchNoise(drawn.generators, shape, batch) : drawn;
  return { encoding: encoding?.noise, noise, generators: after };
}

/**
 * The first latent: noise alone, or a picture's clean latent with noise on it.
 *
 * @param original of the request's image, `[batch, 4, height/8, width/8]`
 * @throws RangeError where the scale of noise alone is asked for and there is a picture beneath it
 */
export function startLatent(
  { mask, strength = 1, initNoise }: Request,
  { sampler, schedule }: Trajectory,
  noise: Tensor,
  original: Tensor | undefined,
): Tensor {
  // Under a mask nothing of the picture needs to show through: diffusers starts from pure noise there.
  if (original === undefined || (mask && strength === 1)) return noise.times(schedule.initNoiseSigma);
  if (initNoise !== undefined) {
    throw new RangeError(
      `Cannot begin from a picture with ${initNoise} noise: it lies on the picture, at the schedule's first level. ` +
        `Leave initNoise out.`,
    );
  }
  return noised(original, noise, samplers[sampler].space, schedule);
}

/** Whether a request's image is a latent already. */
export function isLatent(image: Tensor, latent: Shape): boolean {
  return formatShape(image.shape.slice(1)) === formatShape(latent);
}

/** The rows of a picture or latent for each of a batch: one for all, or one a picture. @throws RangeError otherwise */
export function rowsFor(image: Tensor, batch: number): Tensor {
  const [rows] = image.shape;
  if (rows === batch) return image;
  if (rows === 1) return Tensor.concat(Array<Tensor>(batch).fill(image));
  throw new RangeError(`Cannot begin from ${rows} pictures for ${batch} seeds: wanted is one for all, or one a seed.`);
}

/**
 * The picture size that a request asks for: its own, or its image's; undefined where neither is given.
 *
 * @param unit pixels that a latent's cell stands for
 * @throws RangeError when the image is neither picture nor latent, or has another size than the request
 */
export function sizeFor(
  { size, image }: Pick<Request, "size" | "image">,
  { imageChannels, latentChannels }: AutoencoderArchitecture,
  unit: number,
): Size | undefined {
  if (image === undefined) return size;
  const [, channels, rows, columns] = image.shape;
  if (image.shape.length !== 4 || (channels !== imageChannels && channels !== latentChannels)) {
    throw new RangeError(
      `Cannot begin from ${formatShape(image.shape)}: wanted is a picture [batch, ${imageChannels}, height, width] ` +
        `or a latent [batch, ${latentChannels}, height/${unit}, width/${unit}].`,
    );
  }
  const scale = channels === latentChannels ? unit : 1;
  const own = { width: columns * scale, height: rows * scale };
  if (size && (size.width !== own.width || size.height !== own.height)) {
    throw new RangeError(
      `Cannot begin from an image of ${own.width}x${own.height} for a picture of ${size.width}x${size.height}: ` +
        `leave the size out, or scale the image first.`,
    );
  }
  return own;
}

/**
 * One picture's latent, `[channels, height/unit, width/unit]`.
 *
 * @param unit pixels that a latent's cell stands for
 */
export function latentShape(channels: number, { width, height }: Size, unit: number): Shape {
  for (const [side, pixels] of [["width", width], ["height", height]] as const) {
    if (!Number.isInteger(pixels) || pixels < unit || pixels % unit !== 0) {
      throw new RangeError(
        `Cannot make a picture ${width}x${height}: the ${side} is ${pixels}, wanted is a multiple of ${unit} pixels.`,
      );
    }
  }
  return [channels, height / unit, width / unit];
}

/** What the network is told of the picture's sizes. */
export function sizesFor({ microConditioning, negativeMicroConditioning: negative }: Request, size: Size): Sizes {
  return { prompt: timeIds(size, microConditioning), negative: negative && timeIds(size, negative) };
}

function wantNoise(noise: Tensor, shape: Shape): Tensor {
  if (formatShape(noise.shape) === formatShape(shape)) return noise;
  throw new RangeError(
    `Cannot begin from noise ${formatShape(noise.shape)}: this request needs ${formatShape(shape)} ` +
      `(one row a seed; height and width are an eighth of the picture's).`,
  );
}

/** The size that a request's picture will have: as `sizeFor`; where a single file tells none, its recipe does. */
export function pictureSize(
  request: Pick<Request, "size" | "image" | "recipe">,
  { vae, unet }: Pick<Checkpoint, "vae" | "unet">,
  unit: number,
): Size | undefined {
  const asked = sizeFor(request, vae.architecture, unit);
  const { sampleSize } = unet.architecture;
  if (asked !== undefined || unet.told !== "by shapes" || sampleSize !== SDXL_SAMPLE_SIZE) return asked;
  const { size } = recipes[request.recipe ?? "base"];
  return { width: size, height: size };
}
