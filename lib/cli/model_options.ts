/** Which checkpoint a command works on: the same options for each that opens one. */

import type { Options } from "./args.ts";

export const MODEL_OPTIONS = {
  model: { value: "PATH", about: "a diffusers folder, or a single-file .safetensors checkpoint" },
  unet: { value: "FILE", about: "a .safetensors that replaces the U-Net" },
  vae: { value: "FILE", about: "a .safetensors that replaces the VAE" },
} satisfies Options;
