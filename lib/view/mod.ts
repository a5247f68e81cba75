/** What people look with. */

import "./inspect.ts";

export { channels, type ChannelsOptions } from "./channels.ts";
export { type Drawing, Figure, type RenderOptions } from "./figure.ts";
export { grid, type GridOptions } from "./grid.ts";
export type { Item, LookOptions } from "./items.ts";
export { type Decoder, type LatentSpace, latentSpaceOf, latentToRgb } from "./latent.ts";
export { stopSignal } from "./notebook.ts";
export { readPicture, savePicture } from "./picture.ts";
export { type Progress, progress, type ProgressOptions, withProgress } from "./progress.ts";
export { show } from "./show.ts";
export { strip, type StripOptions } from "./strip.ts";
export { type TableRow } from "./table.ts";
