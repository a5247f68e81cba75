/**
 * Whether a run can fit into this machine at all, told before anything is drawn or loaded: what a runtime cannot get
 * ends the process, or the machine.
 *
 * Counted is the least that any runtime takes: what has to be there at the same moment. A run that passes may still be
 * too large; one that is refused never fits.
 */

import { totalMemory } from "../measure/memory.ts";
import {
  type AutoencoderArchitecture,
  isTiny,
  pixelsPerLatent,
  type UnetArchitecture,
} from "../weights/architecture.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { parameters } from "../weights/weights.ts";
import type { Size } from "./conditioning.ts";
import type { Precision } from "./precision.ts";
import type { MemoryMode } from "./stage.ts";

const FLOAT = 4;

/** Of one weight of the U-Net, at least. */
const WEIGHT: Readonly<Record<Precision, number>> = { fp32: FLOAT, fp16: 2, bf16: 2, int8: 1, int4: 0.5 };

export interface Wanted {
  readonly batch: number;
  /** Pixels. */
  readonly size: Size;
  /** Whether guidance doubles the batch. */
  readonly guided: boolean;
  readonly memory: MemoryMode;
  readonly precision: Precision;
}

/** Bytes that a run takes at least. */
export interface Need {
  /** Of what stays loaded; 0 where weights stay in their file. */
  readonly weights: number;
  /** Values between layers, of the network that has more of them. */
  readonly activations: number;
}

/** @returns bytes, in double: sizes that no memory has included */
export function leastMemory(
  { unet, vae }: Pick<Checkpoint, "unet" | "vae">,
  { batch, size: { width, height }, guided, memory, precision }: Wanted,
): Need {
  const pixels = width * height;
  const rows = batch * (guided ? 2 : 1);
  return {
    weights: memory === "lean"
      ? 0
      : WEIGHT[precision] * parameters(unet.weights.refs) + FLOAT * parameters(vae.weights.refs),
    activations: FLOAT * Math.max(
      rows * skips(unet.architecture) * pixels / pixelsPerLatent(vae.architecture) ** 2,
      batch * widest(vae.architecture) * pixels,
    ),
  };
}

/** Values a latent cell that wait in the middle of the U-Net for the way up: conv_in's, each resnet's and resampler's. */
function skips({ down }: UnetArchitecture): number {
  let [values, cells] = [down[0]?.channels ?? 0, 1];
  for (const { channels, transformers, resample } of down) {
    values += transformers.length * channels * cells;
    if (resample) values += channels * (cells /= 4);
  }
  return values;
}

/** Values a pixel of the decoder's last level: what its first convolution reads and what it writes. */
function widest(vae: AutoencoderArchitecture): number {
  if (isTiny(vae)) return 2 * vae.channels;
  const [last, before = last] = vae.blockOutChannels;
  return last + before;
}

/**
 * @param total bytes that there are. Default: this machine's, or its container's
 * @throws RangeError with the estimate
 */
export function wantRoom(checkpoint: Pick<Checkpoint, "unet" | "vae">, wanted: Wanted, total = totalMemory()): void {
  const { weights, activations } = leastMemory(checkpoint, wanted);
  if (weights + activations <= total) return;
  const { batch, size: { width, height } } = wanted;
  const pictures = `${batch} ${batch === 1 ? "picture" : "pictures"} of ${width}x${height}`;
  const gb = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;
  const smaller = weights > total ? 'Open the model with memory "lean"' : "Ask for fewer pictures or a smaller size";
  throw new RangeError(
    `Cannot draw ${pictures}: that takes at least ${gb(weights + activations)} of memory, ${
      gb(weights)
    } of it for weights; ` +
      `there are ${gb(total)}. ${smaller}.`,
  );
}
