/** What each model costs and how good it is: the article's tables, from a comparison's summary. */

import type { Provenance } from "../model/provenance.ts";
import { scaled, type Spread } from "./number.ts";
import { type Column, Table, type Value } from "./table_export.ts";

/** A model at a recipe and number of steps, over all prompts and seeds: what `compare` sums up. */
export interface ComparedSummary {
  /** Its name in the comparison. */
  readonly model: string;
  /** The recipe without its number of steps. */
  readonly family: string;
  /** The recipe that it ran by. */
  readonly recipe: string;
  /** Denoising steps. */
  readonly steps: number;
  /** Pictures that are summed up. */
  readonly cells: number;
  /** Whether no time holds the loading of the model. */
  readonly warm: boolean;
  /** Seconds. */
  readonly seconds: { readonly total: Spread; readonly perStep: Spread };
  /** Bytes. */
  readonly memory: { readonly peak: Spread };
  /** Of the metrics that were measured. */
  readonly quality: Readonly<Partial<Record<Metric, Spread>>>;
  /** Fréchet distance, with its standard error. */
  readonly frechet?: { readonly value: number; readonly error: number | null };
  /** Diversity over seeds, with its standard error. */
  readonly diversity?: { readonly value: number; readonly error: number | null };
}

/** A metric of single pictures. */
export type Metric = "promptScore" | "retrieved" | "latentDistance" | "psnr" | "ssim" | "perceptual";

/** A comparison's sums as tables and plots need them: what `compare` gives. */
export interface Summarised {
  /** A row a model, recipe and number of steps. */
  readonly summary: readonly ComparedSummary[];
  /** What made it. */
  provenance?(): Promise<Provenance>;
}

/** How metrics are called, and which way is better. */
export const metrics: Readonly<
  Record<Metric, { readonly title: string; readonly unit?: string; readonly better: "more" | "less" }>
> = {
  promptScore: { title: "prompt score", better: "more" },
  retrieved: { title: "retrieved", better: "more" },
  latentDistance: { title: "latent distance", better: "less" },
  psnr: { title: "PSNR", unit: "dB", better: "more" },
  ssim: { title: "SSIM", better: "more" },
  perceptual: { title: "perceptual distance", better: "less" },
};

/** How costs are told. */
export interface CostTableOptions {
  /** Over the table. */
  readonly caption?: string;
  /** The model whose time stands for 100 %. Default: the slowest. */
  readonly reference?: string;
  /** "range" (default): medians with least and most. "none": medians alone, for narrow pages. */
  readonly spread?: "range" | "none";
}

/**
 * A row a model and number of steps: time with its spread and saving, peak memory, and the quality that was measured.
 * Times are medians over pictures, as one disturbed run would move a mean.
 */
export function costTable(
  runs: Summarised,
  { caption = "Time, memory and quality", reference, spread = "range" }: CostTableOptions = {},
): Table {
  const { summary } = runs;
  if (summary.length === 0) throw new RangeError("Cannot make a table of a comparison: it has no results.");
  const times = summary.filter(({ model }) => reference === undefined || model === reference)
    .map(({ seconds }) => seconds.total.median);
  if (times.length === 0) {
    const models = [...new Set(summary.map(({ model }) => model))].join(", ");
    throw new RangeError(`Cannot compare with ${JSON.stringify(reference)}: the comparison's models are ${models}.`);
  }
  const slowest = Math.max(...times);
  const measured = Object.entries(metrics).filter(([metric]) => summary.some(({ quality }) => metric in quality));
  const columns: Column[] = [
    { key: "model" },
    { key: "steps" },
    { key: "seconds", title: "time", unit: "s" },
    { key: "savedPercent", title: "time saved", unit: "%" },
    { key: "gigabytes", title: "peak memory", unit: "GB" },
    ...measured.map(([key, { title, unit }]) => ({ key, title, unit })),
    ...summary.some(({ frechet }) => frechet) ? [{ key: "frechet", title: "Fréchet distance" }] : [],
    ...summary.some(({ diversity }) => diversity) ? [{ key: "diversity", title: "diversity" }] : [],
  ];
  const shown = (value: Spread): Value => spread === "range" ? value : value.median;
  const rows = summary.map(({ model, steps, seconds, memory, quality, frechet, diversity }) => ({
    model,
    steps,
    seconds: shown(seconds.total),
    savedPercent: seconds.total.median === slowest ? null : 100 * (1 - seconds.total.median / slowest),
    gigabytes: shown(scaled(memory.peak, 1e-9)),
    ...Object.fromEntries(Object.entries(quality).map(([metric, value]) => [metric, value && shown(value)])),
    frechet: frechet?.value,
    diversity: diversity?.value,
  }));
  const several = summary.some(({ seconds }) => seconds.total.count > 1);
  const median = several ? `Median${spread === "range" ? " [least, most]" : ""} over pictures. ` : "";
  const cold = summary.filter(({ warm }) => !warm).length;
  return new Table(rows, {
    columns,
    caption,
    notes: [
      `${median}GB are 10⁹ bytes, of the whole process.`,
      ...cold > 0 ? [`${cold === summary.length ? "All" : cold} of the times hold the loading of the model.`] : [],
    ],
    provenance: () => runs.provenance?.(),
  });
}
