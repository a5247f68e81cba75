/** An architecture in a line. */

import type { Architecture } from "../model/inspect/inspection.ts";
import type { ClipTextArchitecture, UnetArchitecture, VaeArchitecture } from "../weights/architecture.ts";

export function architectureInWords(architecture: Architecture): string {
  if ("down" in architecture) return unetInWords(architecture);
  return "hiddenSize" in architecture ? clipInWords(architecture) : vaeInWords(architecture);
}

function unetInWords(
  { inChannels, outChannels, down, mid, up, crossAttentionDim, additionInputDim, timeCondDim }: UnetArchitecture,
) {
  const attending = down.filter(({ transformers }) => transformers.some((depth) => depth > 0));
  const heads = attending.map(({ heads }) => heads);
  const depths = (blocks: UnetArchitecture["down"]) =>
    blocks.map(({ transformers }) => {
      const [first] = transformers;
      return transformers.every((depth) => depth === first)
        ? `${transformers.length}×${first}`
        : transformers.join("+");
    }).join(", ");
  const middle = mid === undefined ? "none" : mid.transformers.length === 0 ? "0" : mid.transformers.join("+");
  return [
    `${inChannels} → ${outChannels} channels through ${down.map(({ channels }) => channels).join(", ")}`,
    `transformers ${depths(down)} down, ${middle} in the middle, ${depths(up)} up`,
    `${heads.join(", ")} heads`,
    `text ${crossAttentionDim}`,
    `pooled text and sizes ${additionInputDim}`,
    ...timeCondDim === undefined ? [] : [`guidance as an input, ${timeCondDim}`],
  ].join("; ");
}

function vaeInWords(
  { latentChannels, imageChannels, blockOutChannels, layersPerBlock, scalingFactor }: VaeArchitecture,
) {
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
    `${vocabularySize.toLocaleString("en")} words, ${positions} positions`,
    ...projectionDim === undefined ? [] : [`projects to ${projectionDim}`],
  ].join("; ");
}
