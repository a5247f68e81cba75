/** An architecture in a line. */

import type { Architecture } from "../model/inspect/inspection.ts";
import {
  type AutoencoderArchitecture,
  type ClipTextArchitecture,
  isTiny,
  type UnetArchitecture,
} from "../weights/architecture.ts";
import type { TableRow } from "./table.ts";

/** What a reader asks first; `inspect --json` has every number. */
export function architectureInWords(architecture: Architecture): string {
  if ("down" in architecture) return unetInWords(architecture);
  return "hiddenSize" in architecture ? clipInWords(architecture) : vaeInWords(architecture);
}

function unetInWords(
  { inChannels, outChannels, crossAttentionDim, additionInputDim, timeCondDim, linearProjection }: UnetArchitecture,
): string {
  return [
    `${inChannels} → ${outChannels} channels`,
    `text ${crossAttentionDim}`,
    `pooled text and sizes ${additionInputDim}`,
    `${linearProjection ? "linear" : "convolutional"} projections`,
    ...timeCondDim === undefined ? [] : [`guidance as an input of ${timeCondDim}`],
  ].join("; ");
}

/** What a row says about a block of the U-Net; nothing for the layers at its ends. */
export function blockInWords({ down, mid, up }: UnetArchitecture, name: string): BlockRow {
  const [, side, index] = name.match(/^(down|up)_blocks\.(\d+)$/) ?? [];
  const lowest = down[down.length - 1];
  const block = side === "down"
    ? down[Number(index)]
    : side === "up"
    ? up[Number(index)]
    : name === "mid_block" && mid && lowest
    ? { ...mid, channels: lowest.channels }
    : undefined;
  if (block === undefined) return { channels: undefined, transformers: undefined, heads: undefined };
  const { channels, transformers, heads } = block;
  const attends = transformers.some((depth) => depth > 0);
  return { channels, transformers: attends ? transformers.join(", ") : "none", heads: attends ? heads : undefined };
}

interface BlockRow extends TableRow {
  readonly channels: number | undefined;
  /** Depth after each resnet. */
  readonly transformers: string | undefined;
  readonly heads: number | undefined;
}

function vaeInWords(vae: AutoencoderArchitecture): string {
  const { latentChannels, imageChannels, scalingFactor } = vae;
  if (isTiny(vae)) {
    const { channels, encoderBlocks, decoderBlocks } = vae;
    const encoder = encoderBlocks.length > 0 ? `, ${encoderBlocks.join(", ")} blocks in` : "";
    return `tiny: ${imageChannels} → ${latentChannels} channels through ${channels}${encoder}, ` +
      `${decoderBlocks.join(", ")} blocks out; scaling factor ${scalingFactor}`;
  }
  const { blockOutChannels, layersPerBlock } = vae;
  return `${imageChannels} → ${latentChannels} channels through ${blockOutChannels.join(", ")}; ` +
    `${layersPerBlock} layer${layersPerBlock === 1 ? "" : "s"} a block; scaling factor ${scalingFactor}`;
}

function clipInWords(
  { hiddenSize, intermediateSize, layers, heads, activation, vocabularySize, positions, projectionDim }:
    ClipTextArchitecture,
) {
  return [
    `${layers} layers of ${hiddenSize} (${intermediateSize} inside)`,
    `${heads} head${heads === 1 ? "" : "s"}`,
    activation,
    `${vocabularySize.toLocaleString("en")} tokens, ${positions} positions`,
    ...projectionDim === undefined ? [] : [`projects to ${projectionDim}`],
  ].join("; ");
}
