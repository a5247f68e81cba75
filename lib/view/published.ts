/** Figures that others published, to stand beside ours and to be told from them. */

import quickLook from "../../data/published/quick-look.json" with { type: "json" };

/** What someone reported of a model at a number of steps. */
export interface PublishedFigure {
  /** As its source calls it. */
  readonly system: string;
  /** Denoising steps. */
  readonly steps: number;
  /** A picture. */
  readonly seconds: number;
  /** 10⁹ bytes. */
  readonly memory: number;
}

/** What others reported, with its source. */
export interface Published {
  /** Who reported it, where and when. */
  readonly source: string;
  /** On what, and how it was measured. */
  readonly conditions: string;
  /** One a system and number of steps. */
  readonly figures: readonly PublishedFigure[];
}

/** Seconds and gigabytes of SDXL's distilled models, as the article that the kit grew out of reports them. */
export const publishedFigures: Published = quickLook;
