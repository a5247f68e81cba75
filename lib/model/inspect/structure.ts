/**
 * Published architectures by structure: the widths and depths that tell them apart.
 *
 * Sources: the unet/config.json of stabilityai/stable-diffusion-xl-base-1.0 and -refiner-1.0, segmind/SSD-1B,
 * segmind/Segmind-Vega; models/pocket/README.md. Vega's card counts 247, 31 and 460 million parameters down, in the
 * middle and up, as its depths here give; SSD-1B's depths are those of furusu/SSD-1B-anime's comparison with SDXL (two
 * transformers became one, ten became four, the third of the first upward block kept its ten) and give its 1.33 billion.
 */

import type { UnetArchitecture } from "../../weights/architecture.ts";
import type { Structure } from "./inspection.ts";

interface Known {
  readonly name: string;
  readonly channels: readonly number[];
  /** Depths of the transformers: down, middle, up. */
  readonly depths: readonly [readonly (readonly number[])[], readonly number[], readonly (readonly number[])[]];
  readonly text: number;
  readonly refused?: string;
}

const SDXL_CHANNELS = [320, 640, 1280];

export const POCKET = "Fewstep's pocket model";

const KNOWN: readonly Known[] = [
  {
    name: "SDXL base",
    channels: SDXL_CHANNELS,
    depths: [[[0, 0], [2, 2], [10, 10]], [10], [[10, 10, 10], [2, 2, 2], [0, 0, 0]]],
    text: 2048,
  },
  {
    name: "SSD-1B",
    channels: SDXL_CHANNELS,
    depths: [[[0, 0], [2, 2], [4, 4]], [], [[4, 4, 10], [2, 1, 1], [0, 0, 0]]],
    text: 2048,
  },
  {
    name: "Segmind-Vega",
    channels: SDXL_CHANNELS,
    depths: [[[0, 0], [1, 1], [2, 2]], [], [[2, 2, 2], [1, 1, 1], [0, 0, 0]]],
    text: 2048,
  },
  {
    name: "SDXL refiner",
    channels: [384, 768, 1536, 1536],
    depths: [[[0, 0], [4, 4], [4, 4], [0, 0]], [4], [[0, 0, 0], [4, 4, 4], [4, 4, 4], [0, 0, 0]]],
    text: 1280,
    refused: "It is SDXL's refiner, which finishes another model's pictures; the kit runs base models.",
  },
  {
    name: POCKET,
    channels: [64, 128, 64],
    depths: [[[0], [1], [1]], [1], [[1, 1], [1, 1], [0, 0]]],
    text: 192,
  },
];

const depths = (blocks: UnetArchitecture["down"]) => blocks.map(({ transformers }) => transformers);
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Which published U-Net this one equals, whatever its weights were trained to. */
export function structureOf({ down, mid, up, crossAttentionDim, inChannels }: UnetArchitecture): Structure | undefined {
  const known = KNOWN.find(({ channels, depths: [downward, middle, upward], text }) =>
    text === crossAttentionDim && same(channels, down.map(({ channels }) => channels)) &&
    same(downward, depths(down)) && same(middle, mid?.transformers ?? []) && same(upward, depths(up))
  );
  if (known === undefined) return undefined;
  const { name, refused } = known;
  if (inChannels === 4 || refused !== undefined) return { name, refused };
  const use = inChannels === 9 ? "inpainting" : "editing a picture";
  return {
    name: `${name} for ${use}`,
    refused: `Its U-Net takes ${inChannels} channels, for ${use}; the kit runs those that take 4, the latent alone.`,
  };
}
