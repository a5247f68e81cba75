/** What people look with. */

import "./inspect.ts";

export { attention, type AttentionOptions } from "./attention_figure.ts";
export { channels, type ChannelsOptions } from "./channels.ts";
export { features, type FeaturesOptions } from "./features.ts";
export { type Drawing, Figure, type RenderOptions } from "./figure.ts";
export { grid, type GridOptions } from "./grid.ts";
export type { Item, LookOptions } from "./items.ts";
export { type Decoder, type LatentSpace, latentSpaceOf, latentToRgb } from "./latent.ts";
export { latentDifference, type LatentDifferenceOptions } from "./latent_difference.ts";
export { stopSignal } from "./notebook.ts";
export { readPicture, savePicture } from "./picture.ts";
export { type Progress, progress, type ProgressOptions, withProgress } from "./progress.ts";
export { selfAttention, type SelfAttentionOptions } from "./self_attention.ts";
export { show } from "./show.ts";
export { strip, type StripOptions } from "./strip.ts";
export { type TableRow } from "./table.ts";
