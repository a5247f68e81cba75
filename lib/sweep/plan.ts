/** A comparison as a list of cells, before any of them has run. Plain data: it goes through JSON unchanged. */

import type { Content, Labels } from "./cell.ts";
import type { ComparedModel, ComparedPrompt, MeasureOptions, QualityOptions, Way } from "./options.ts";

/** A model of the plan, with what its files hold. */
export interface PlannedModel {
  readonly options: ComparedModel;
  /** sha256 of each weight file by part and file name, as in a record. */
  readonly digests: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface PlannedCell {
  /** sha256 of `content`: equal work has equal keys, whatever it is called. */
  readonly key: string;
  /** Index into the plan's models. */
  readonly modelIndex: number;
  readonly way: Way;
  readonly labels: Labels;
  readonly content: Content;
}

export interface Plan {
  readonly models: readonly PlannedModel[];
  readonly prompts: readonly ComparedPrompt[];
  /** In the order of their positions; those of one model stand together, so that each is loaded once. */
  readonly cells: readonly PlannedCell[];
  readonly measure: Required<MeasureOptions>;
  readonly quality: QualityOptions;
  /** What was asked for and left out, a sentence each: steps that a model's weights were not made for. */
  readonly omitted: readonly string[];
}
