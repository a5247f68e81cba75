/** How each part of a model is computed: in which number type, by which lowering, with which form of its weights. */

import type { Lowering } from "../graph/builder.ts";
import type { UnetArchitecture } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import type { Precision } from "./precision.ts";
import type { Runtime } from "./sessions/session.ts";

/** What the U-Net's graph is made of. */
export interface PreparedUnet {
  readonly unet: Part<UnetArchitecture>;
  readonly lowering: Lowering;
}

/** How text encoders and U-Net are written. The VAE is always in float32: in half floats it overflows to black. */
export function loweringFor(
  { lowering, reduced }: Pick<Runtime, "lowering" | "reduced">,
  precision: Precision,
): Lowering {
  return precision === "fp16" || precision === "bf16" ? reduced?.[precision] ?? lowering : lowering;
}

/**
 * The U-Net in a precision. Weights that have to be made for it are made here, at first use.
 *
 * @param folder where they are kept. Default: the kit's cache
 * @throws RangeError when a weight cannot be had in that precision
 */
export async function prepareUnet(
  unet: Part<UnetArchitecture>,
  runtime: Runtime,
  { precision, folder }: { readonly precision: Precision; readonly folder?: string },
): Promise<PreparedUnet> {
  const lowering = loweringFor(runtime, precision);
  switch (precision) {
    case "int8":
      return { unet, lowering: await (await import("./int8.ts")).int8Unet(lowering, unet, { folder }) };
    case "int4":
      return { unet, lowering: await (await import("./int4.ts")).int4Unet(lowering, unet, { folder }) };
    case "fp16":
      if (runtime.reduced?.fp16 !== undefined) return { unet, lowering };
      return { unet: await (await import("./half.ts")).halfUnet(unet, { folder }), lowering };
    case "fp32":
    case "bf16":
      return { unet, lowering };
  }
}

/** How one part of a model is computed, for people. */
export interface PartDescription {
  /** Which networks: both text encoders go together. */
  readonly part: "text encoders" | "unet" | "vae";
  /** The library, its version and the device. */
  readonly runtime: string;
  /** What this part computes in: the VAE stays in float32 on every device. */
  readonly precision: Precision;
  /** The name of its lowering, and why those operators. */
  readonly lowering: string;
  /** Why those operators, in a sentence. */
  readonly why: string;
}

/** How each part of a model is computed, and why: nothing is loaded or made for it. */
export function describeParts(
  runtime: Pick<Runtime, "name" | "lowering" | "reduced">,
  precision: Precision,
): readonly PartDescription[] {
  const { name, lowering } = runtime;
  const written = loweringFor(runtime, precision);
  const textPrecision = written === lowering ? "fp32" : precision;
  const unet = ({
    int8: "; its linear layers and convolutions multiply 8-bit integers, their weights quantised at first use",
    int4: "; its linear layers' weights lie in blocks of 4 bits, quantised at first use",
    fp16: written === lowering
      ? "; its weights are half floats, widened for each layer: there are no half kernels"
      : "",
    fp32: "",
    bf16: "",
  } satisfies Record<Precision, string>)[precision];
  return [
    { part: "text encoders", runtime: name, precision: textPrecision, lowering: written.name, why: written.why },
    { part: "unet", runtime: name, precision, lowering: written.name, why: written.why + unet },
    {
      part: "vae",
      runtime: name,
      precision: "fp32",
      lowering: lowering.name,
      why: precision === "fp32" ? lowering.why : `${lowering.why}; in float32, as half floats overflow in it`,
    },
  ];
}
