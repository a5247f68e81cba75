/** Where a run starts: pure noise, or a picture with noise on it. */

import { batchNoise, type Generator, torchGenerator } from "../tensor/random/mod.ts";
import { formatShape, type Shape, Tensor } from "../tensor/tensor.ts";
import { type Request, seedsOf } from "./request.ts";

export interface Draws {
  /** What the VAE's encoder samples a picture's latent with; drawn before the run's own noise, as in diffusers. */
  readonly encoding: Tensor | undefined;
  /** Unit normal, `[batch, 4, height/8, width/8]` */
  readonly noise: Tensor;
  /** One a picture, as they stand afterwards. */
  readonly generators: readonly Generator[];
}

/**
 * Draws what a run begins with, from each picture's own generator.
 *
 * @param shape one picture's latent, `[4, height/8, width/8]`
 * @throws RangeError when noise was given in another shape
 */
export function drawStart(request: Request, shape: Shape): Draws {
  const generators = seedsOf(request).map((seed) => torchGenerator(seed, { device: request.rng }));
  const encodes = request.image !== undefined && !isLatent(request.image, shape);
  const encoding = encodes ? batchNoise(generators, shape) : undefined;
  const drawn = batchNoise(encoding?.generators ?? generators, shape);
  const noise = request.noise ? wantNoise(request.noise, drawn.noise.shape) : drawn.noise;
  return { encoding: encoding?.noise, noise, generators: drawn.generators };
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

function wantNoise(noise: Tensor, shape: Shape): Tensor {
  if (formatShape(noise.shape) === formatShape(shape)) return noise;
  throw new RangeError(
    `Cannot begin from noise ${formatShape(noise.shape)}: this request needs ${formatShape(shape)} ` +
      `(one row a seed; height and width are an eighth of the picture's).`,
  );
}
