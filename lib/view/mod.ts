/** What people look with. */

import "./inspect.ts";

export * from "./inside.ts";
export type { ArrangeOptions, Compared, ComparedCell, Label } from "./arrange.ts";
export { readProvenance } from "./carry.ts";
export { type BarsOptions, costBars } from "./bars.ts";
export { channels, type ChannelsOptions } from "./channels.ts";
export { contactSheet, type ContactSheetOptions } from "./contact_sheet.ts";
export { type ComparedSummary, costTable, type CostTableOptions, type Metric, type Summarised } from "./cost_table.ts";
export type { Crop } from "./crop.ts";
export { type DifferenceOptions, differences } from "./difference.ts";
export {
  type Drawing,
  Figure,
  type FigureFormat,
  type FigureOptions,
  type RenderOptions,
  type VectorOptions,
} from "./figure.ts";
export { type ComparedGridOptions, grid, type GridOptions } from "./grid.ts";
export type { Item, LookOptions } from "./items.ts";
export { type Decoder, type LatentSpace, latentSpaceOf, latentToRgb } from "./latent.ts";
export { readPicture, savePicture } from "./picture.ts";
export {
  disagreement,
  type DisagreementOptions,
  extremes,
  type ExtremesOptions,
  facets,
  type Measured,
  pivot,
  type PivotOptions,
} from "./pivot.ts";
export { type PlotOptions, type QualityPlotOptions, stepsAgainstQuality, timeAgainstQuality } from "./plots.ts";
export { type Published, type PublishedFigure, publishedFigures } from "./published.ts";
export { type Progress, progress, type ProgressOptions, withProgress } from "./progress.ts";
export { schedulePlot } from "./schedule_plot.ts";
export { show } from "./show.ts";
export { strip, type StripOptions } from "./strip.ts";
export { type TableRow } from "./table.ts";
export type { SweepState, WorkerState } from "./watch.ts";
export { type Column, type Row, Table, type TableFormat, type TableOptions, type Value } from "./table_export.ts";
export { trainingPlot, type TrainingPlotOptions } from "./training_plot.ts";
