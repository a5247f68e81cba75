/** A model's networks: text encoders, U-Net, VAE, preview. They share the memory's stages and the LoRAs. */

import { Autoencoder } from "./autoencoder.ts";
import { Denoiser } from "./denoiser.ts";
import { Loras } from "./loras.ts";
import type { ModelOptions } from "./model_options.ts";
import { loweringFor, prepareUnet } from "./prepared.ts";
import { Stages } from "./stage.ts";
import { TextEncoders } from "./text.ts";

export class Networks {
  readonly loras: Loras;
  readonly stages: Stages;
  readonly text: TextEncoders;
  readonly denoiser: Denoiser;
  readonly autoencoder: Autoencoder;
  readonly #preview: Autoencoder | undefined;

  constructor({ checkpoint, runtime, precision, preview, ...options }: ModelOptions) {
    const stages = new Stages(runtime, options.memory);
    const loras = new Loras(options.loras, options.loraMode);
    const parts = { stages, loras, lowering: loweringFor(runtime, precision) };
    const text = new TextEncoders({ ...parts, checkpoint, warn: options.warn });
    const { unet, vae } = checkpoint;
    this.loras = loras;
    this.stages = stages;
    this.text = text;
    this.denoiser = new Denoiser({
      ...parts,
      unet,
      words: (prompt) => text.words(prompt),
      passes: options.guidancePasses ?? "batch",
      prepared: () => prepareUnet(unet, runtime, { precision, folder: options.preparedFolder }),
    });
    this.autoencoder = new Autoencoder("vae", vae, stages, runtime);
    this.#preview = preview && new Autoencoder("preview", preview, stages, runtime);
  }

  /** What decodes latents. @throws RangeError for previews where the model was opened without */
  decoder(by: "vae" | "preview"): Autoencoder {
    if (by === "vae") return this.autoencoder;
    if (this.#preview) return this.#preview;
    throw new RangeError(
      `Cannot decode a preview: the model was opened without one. Open it with preview, a tiny autoencoder's file.`,
    );
  }
}
