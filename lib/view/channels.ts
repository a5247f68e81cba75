/** What the four channels of a latent hold, beside each other. */

import { statistics } from "../measure/latent.ts";
import type { Step } from "../model/step.ts";
import { formatShape, Tensor } from "../tensor/tensor.ts";
import { Figure } from "./figure.ts";
import { isLatent } from "./items.ts";
import { diverging, heat } from "./heat.ts";
import { channelPlanes, largest } from "./latent.ts";
import { layOut, notFiniteNote } from "./sheet.ts";

/** How a latent's channels are shown. */
export interface ChannelsOptions {
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a map's longer side. Default 160. */
  readonly cell?: number;
}

/**
 * The channels of a latent `[batch, 4, h, w]` (of a batch, the first; of a step, x_t) as heat maps with one scale:
 * blue below 0, red above. Each is captioned with its mean and standard deviation.
 */
export function channels(item: Tensor | Step, { heading, cell = 160 }: ChannelsOptions = {}): Figure {
  const latent = item instanceof Tensor ? item : item.latent;
  if (!isLatent(latent)) {
    throw new RangeError(
      `Cannot show the channels of ${formatShape(latent.shape)}: a latent [batch, 4, h, w] was wanted.`,
    );
  }
  return new Figure(() => {
    const first = latent.slice(0, 1);
    const limit = largest(first);
    const row = channelPlanes(first).map((plane) => {
      const { mean, deviation } = statistics({ data: plane.values });
      const caption = `mean ${mean.toFixed(2)} · sd ${deviation.toFixed(2)}`.replace("-", "−");
      const { raster } = heat(plane, { colors: diverging, range: [-limit, limit] });
      return { raster, scaling: "hard" as const, caption };
    });
    return layOut({
      rows: [row],
      columnTitles: row.map((_, channel) => `channel ${channel}`),
      heading,
      notes: [`White is 0, full red ${limit.toFixed(2)}, full blue −${limit.toFixed(2)}.`, ...notFiniteNote(row)],
      cell,
      alt: `${heading ? `${heading}: ` : ""}heat maps of the latent's ${row.length} channels; ` +
        row.map(({ caption }, channel) => `channel ${channel} ${caption}`).join(", "),
    });
  });
}
