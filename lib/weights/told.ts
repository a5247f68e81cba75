/** Whether a file without a config is enough to tell a model: what shapes do not say must be SDXL's own. */

import { type AutoencoderArchitecture, isTiny, type UnetArchitecture } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { inferClipText, inferUnet, inferVae } from "./infer.ts";

/** Scaling factors are written with five digits. */
const SAME = 1e-4;

/**
 * @throws RangeError with a sentence when every reader of a single file would take the model for another one: other heads,
 *   groups or scaling factor
 */
export function wantToldByShapes({ unet, vae, textEncoder, textEncoder2 }: Checkpoint): void {
  const rows: (readonly [what: string, own: unknown, told: unknown])[] = [
    ...unetRows(unet.architecture, inferUnet(unet.weights, textEncoder2.architecture.projectionDim)),
    ...vaeRows(vae.architecture, inferVae(vae.weights)),
  ];
  for (const [which, { architecture, weights }] of [["first", textEncoder], ["second", textEncoder2]] as const) {
    const told = inferClipText(weights, which);
    rows.push([`${which} text encoder's heads`, architecture.heads, told.heads]);
    rows.push([`${which} text encoder's activation`, architecture.activation, told.activation]);
  }
  const odd = rows.filter(([, own, told]) => JSON.stringify(own) !== JSON.stringify(told));
  if (odd.length === 0) return;
  const list = odd.map(([what, own, told]) =>
    `${what} ${JSON.stringify(own)}, where SDXL's rules give ${JSON.stringify(told)}`
  );
  throw new RangeError(
    `Cannot bake a single file that others would understand, as it holds no config and this model has its own: ` +
      `${list.join("; ")}. Bake a folder.`,
  );
}

function unetRows(own: UnetArchitecture, told: UnetArchitecture) {
  const heads = ({ down, mid, up }: UnetArchitecture) => [
    ...[...down, ...up].flatMap(({ transformers, heads }) => transformers.some((depth) => depth > 0) ? [heads] : []),
    ...mid && mid.transformers.length > 0 ? [mid.heads] : [],
  ];
  return [
    ["U-Net's heads", heads(own), heads(told)],
    ["U-Net's groups", own.groups, told.groups],
    ["U-Net's epsilon", own.epsilon, told.epsilon],
    ["timestep embedding", [own.flipSinToCos, own.freqShift], [told.flipSinToCos, told.freqShift]],
  ] as const;
}

function vaeRows(own: AutoencoderArchitecture, told: AutoencoderArchitecture) {
  const near = Math.abs(own.scalingFactor - told.scalingFactor) <= SAME * told.scalingFactor;
  return [
    ["VAE's scaling factor", own.scalingFactor, near ? own.scalingFactor : told.scalingFactor],
    ["VAE's groups", isTiny(own) ? 0 : own.groups, isTiny(told) ? 0 : told.groups],
  ] as const;
}
