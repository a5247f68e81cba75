/** What can stand in a strip or a grid, and how it becomes pictures. */

import { Step } from "../model/step.ts";
import { formatShape, Tensor } from "../tensor/tensor.ts";
import { type Decoder, type LatentSpace, latentToRgb } from "./latent.ts";
import { type Raster, rasters } from "./raster.ts";

/** A picture `[batch, 3, H, W]` in 0..1, a latent `[batch, 4, h, w]`, or a step. */
export type Item = Tensor | Step;

/** How latents become pictures. */
export interface LookOptions {
  /** What decodes latents: the model. Without it they are coloured by a linear fit, a pixel a latent value. */
  readonly decode?: Decoder;
  /** Whose latents these are, for the linear fit. Default "sdxl". */
  readonly space?: LatentSpace;
  /** What is shown of a step: x0, the network's guess, or x_t, what the sampler holds. Default "denoised". */
  readonly of?: "denoised" | "latent";
}

/** The pictures of an item's batch. */
export interface Looked {
  readonly rasters: readonly Raster[];
  /** How they want to be enlarged. */
  readonly scaling: "smooth" | "hard";
  /** Whose VAE the colours are fitted to, where no VAE decoded. */
  readonly fitted?: LatentSpace;
  /** Share of the pixels whose fitted colours lie outside of what a screen has, and are clipped. */
  readonly clipped?: number;
}

/** The tensor that an item shows. A step that has not run the network has no x0: its noise is shown. */
export function shown(item: Item, of: "denoised" | "latent" = "denoised"): Tensor {
  if (item instanceof Tensor) return item;
  return of === "latent" || item.index === 0 ? item.latent : item.denoised;
}

export function isPicture({ shape }: Tensor): boolean {
  return (shape.length === 4 && shape[1] === 3) || (shape.length === 3 && shape[0] === 3);
}

export function isLatent({ shape }: Tensor): boolean {
  return shape.length === 4 && shape[1] === 4;
}

export async function look(item: Item, { decode, space = "sdxl", of }: LookOptions = {}): Promise<Looked> {
  const tensor = shown(item, of);
  if (isPicture(tensor)) return { rasters: rasters(tensor), scaling: "smooth" };
  if (!isLatent(tensor)) {
    throw new RangeError(
      `Cannot show a tensor ${formatShape(tensor.shape)} as a picture: ` +
        `a picture [batch, 3, H, W] or a latent [batch, 4, h, w] was wanted.`,
    );
  }
  // A broken latent is shown as it is: a VAE refuses it, or smears one bad value over the whole picture.
  if (decode !== undefined && tensor.data.every(Number.isFinite)) {
    return { rasters: rasters(await decode.decode(tensor)), scaling: "smooth" };
  }
  const colors = latentToRgb(tensor, space);
  return { rasters: rasters(colors), scaling: "hard", fitted: space, clipped: clippedShare(colors) };
}

/** @param pictures `[batch, 3, h, w]` @returns the share of pixels with a colour outside of 0..1 */
function clippedShare({ data, shape: [batch, , height, width] }: Tensor): number {
  const size = height * width;
  const strong = (value: number) => value < 0 || value > 1;
  let clipped = 0;
  for (let picture = 0; picture < batch; picture++) {
    for (let at = 3 * picture * size; at < (3 * picture + 1) * size; at++) {
      const red = data[at];
      const green = data[at + size];
      const blue = data[at + 2 * size];
      if (!Number.isFinite(red + green + blue)) continue; // marked as such
      if (strong(red) || strong(green) || strong(blue)) clipped++;
    }
  }
  return clipped / (batch * size);
}

const fittedTo: Readonly<Record<LatentSpace, string>> = { sdxl: "SDXL's VAE", pocket: "the pocket VAE" };

/** Says that colours are guessed: a reader must not take them for the VAE's. */
export function fittedNote(looked: readonly (Looked | undefined)[]): string[] {
  const spaces = new Set(looked.flatMap((one) => one?.fitted === undefined ? [] : [one.fitted]));
  const most = Math.max(0, ...looked.map((one) => one?.clipped ?? 0));
  const clipped = most < 0.005
    ? ""
    : ` Up to ${Math.round(100 * most)} % of a picture's pixels are too strong for it: clipped.`;
  return [...spaces].map((space) => `Latents are coloured by a linear fit to ${fittedTo[space]}.${clipped}`);
}

/** "step 2 of 4" and where on the schedule it looked: what stands over and under a step's picture. */
export function stepTitle({ index, count }: Step): string {
  return index === 0 ? "noise" : `step ${index} of ${count}`;
}

export function stepCaption(step: Step): string {
  if (step.index === 0) return `σ ${formatSigma(step.sigma)}`;
  return `σ ${formatSigma(step.sigma)} · t ${Number(step.timestep.toFixed(1))}`;
}

/** Three significant digits and no exponent: 14.6, 0.397, 0. */
export function formatSigma(sigma: number): string {
  return sigma === 0 ? "0" : sigma.toFixed(sigma >= 10 ? 1 : sigma >= 1 ? 2 : 3);
}
