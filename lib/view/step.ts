/** A step as people look at it. */

import type { Step } from "../model/step.ts";
import { Figure } from "./figure.ts";
import { fittedNote, formatSigma, look, type LookOptions } from "./items.ts";
import { layOut, notFiniteNote } from "./sheet.ts";

/** x_t and x0 side by side, a row a picture of the batch, with the schedule above and the cost below. */
export function stepFigure(step: Step, options: LookOptions = {}): Figure {
  return new Figure(async () => {
    const views = [await look(step.latent, options)];
    if (step.index > 0) views.push(await look(step.denoised, options));
    const rows = views[0].rasters.map((_, picture) =>
      views.map(({ rasters, scaling }) => ({ raster: rasters[picture], scaling }))
    );
    return layOut({
      rows,
      columnTitles: ["x_t, the sampler's latent", "x0, the network's guess"].slice(0, views.length),
      heading: where(step),
      notes: [...cost(step), ...fittedNote(views), ...notFiniteNote(rows.flat())],
      cell: 192,
      alt: `${where(step)}. ${views.length === 2 ? "The latent x_t and the prediction x0" : "The first latent"} ` +
        `as pictures. Prompt: ${step.request.prompt || "none"}.`,
    });
  });
}

/** A step in one line of text. */
export function stepLine(step: Step): string {
  return [where(step), ...cost(step)].join(" · ");
}

function where(step: Step): string {
  if (step.index === 0) return `noise · σ ${formatSigma(step.sigma)}`;
  const sigmas = `σ ${formatSigma(step.sigma)} → ${formatSigma(step.sigmaNext)}`;
  return `step ${step.index} of ${step.count} · ${sigmas} · t ${Number(step.timestep.toFixed(1))}`;
}

function cost({ index, timing, memory }: Step): string[] {
  if (index === 0) return [];
  return [
    `${formatMilliseconds(timing.step)}, the network ${formatMilliseconds(timing.unet)} of it · ` +
    `memory ${formatBytes(memory.resident)}, at most ${formatBytes(memory.peak)}`,
  ];
}

export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return milliseconds >= 100 ? `${milliseconds.toFixed(0)} ms` : `${Number(milliseconds.toPrecision(2))} ms`;
}

/** Bytes in powers of ten, as the article counts memory. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
