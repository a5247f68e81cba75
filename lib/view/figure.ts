/** Something to show and to export: pictures, lines and words on a white sheet. */

import { extname } from "node:path";
import type { Provenance } from "../model/provenance.ts";
import type { ReproducedRun, ReproduceOptions } from "../model/reproduce.ts";
import { asElement, asRdf, carrying } from "./carry.ts";
import { drawRaster } from "./draw_raster.ts";
import { drawSvg } from "./draw_svg.ts";
import type { Drawing } from "./drawing.ts";
import { type PictureFormat, writeInto } from "./picture.ts";

export type { Drawing, PlacedPicture, PlacedShape, PlacedText } from "./drawing.ts";

/** How a figure becomes pixels. */
export interface RenderOptions {
  /** Device pixels per CSS pixel. Default 2: sharp on today's screens and in print. */
  readonly density?: number;
}

/** How a figure becomes lines and words. */
export interface VectorOptions {
  /**
   * The most pixels of a picture per CSS pixel of its place: what has more is reduced, for smaller files. Default: every
   * pixel of every picture is kept.
   */
  readonly density?: number;
}

/** The files that a figure is written as, by their ending. */
/** A file that a figure is written as. */
export type FigureFormat = "png" | "webp" | "svg" | "pdf";
export const figureFormats: readonly FigureFormat[] = ["png", "webp", "svg", "pdf"];

/** What made something, now or later. */
export type ProvenanceSource =
  | Provenance
  | Promise<Provenance>
  | (() => Provenance | undefined | Promise<Provenance | undefined>);

/** What a figure carries. */
export interface FigureOptions {
  /** What made it: exported files carry it. A function is asked when it is needed. */
  readonly provenance?: ProvenanceSource;
}

/** A figure, drawn when it is looked at or saved. `grid`, `strip` and the plots make it. */
export class Figure {
  readonly #draw: () => Drawing | Promise<Drawing>;
  readonly #provenance: ProvenanceSource | undefined;
  #told: Promise<Provenance | undefined> | undefined;
  #drawing: Promise<Drawing> | undefined;

  /**
   * A figure of one's own; `grid`, `strip` and the plots make the others.
   * @param draw lays the figure out, when it is first looked at: decoding latents takes time.
   */
  constructor(draw: () => Drawing | Promise<Drawing>, { provenance }: FigureOptions = {}) {
    this.#draw = draw;
    this.#provenance = provenance;
  }

  /** What stands where. */
  drawing(): Promise<Drawing> {
    return this.#drawing ??= Promise.resolve().then(this.#draw);
  }

  /** The figure in words. */
  async alt(): Promise<string> {
    return (await this.drawing()).alt;
  }

  /** What made it: models and hashes, prompts, seeds, versions, machine. Nothing where nobody said. */
  provenance(): Promise<Provenance | undefined> {
    const source = this.#provenance;
    return this.#told ??= Promise.resolve(typeof source === "function" ? source() : source);
  }

  /** The same figure, carrying what made it. */
  madeBy(provenance: ProvenanceSource): Figure {
    return new Figure(() => this.drawing(), { provenance });
  }

  /** As PNG, with what made it. */
  png(options?: RenderOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#pixels("png", options);
  }

  /** As WebP without loss, with what made it. */
  webp(options?: RenderOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#pixels("webp", options);
  }

  /** Lines and words as outlines, pictures embedded without loss. */
  async svg({ density = Infinity }: VectorOptions = {}): Promise<string> {
    const provenance = await this.provenance();
    return await drawSvg(await this.drawing(), density, provenance && asElement(provenance));
  }

  /** Lines as vectors, words as text in embedded fonts, pictures embedded without loss. A CSS pixel is 1/96 inch. */
  async pdf({ density = Infinity }: VectorOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const [drawing, provenance] = [await this.drawing(), await this.provenance()];
    const { drawPdf } = await import("./draw_pdf.ts");
    return await drawPdf(drawing, density, { title: drawing.alt, xmp: provenance && asRdf(provenance) });
  }

  /**
   * Writes the figure; the path's ending picks the format: .png, .webp, .svg or .pdf. The file is there whole or not at
   * all.
   * @throws RangeError for another ending, before anything is drawn.
   */
  async save(path: string, options?: RenderOptions & VectorOptions): Promise<void> {
    const format = figureFormat(path);
    await writeInto(path, await this.#encode(format, options));
  }

  /**
   * Writes the figure in several formats beside each other: `saveAll("figures/comparison")` makes comparison.png, .webp,
   * .svg and .pdf.
   * @returns the paths
   */
  async saveAll(
    stem: string,
    { formats = figureFormats, ...options }: RenderOptions & VectorOptions & {
      readonly formats?: readonly FigureFormat[];
    } = {},
  ): Promise<string[]> {
    const paths = formats.map((format) => `${stem}.${format}`);
    await Promise.all(paths.map((path) => this.save(path, options))); // pictures are packed in threads of their own
    return paths;
  }

  /**
   * Makes every run behind the figure again and holds its last latent against what was drawn.
   * @throws RangeError when nobody said what made it, and as `reproduceRuns` does
   */
  async reproduce(options?: ReproduceOptions): Promise<ReproducedRun[]> {
    const provenance = await this.provenance();
    if (provenance === undefined) {
      throw new RangeError(
        "Cannot make this figure again: nobody said what made it. Draw it from finished runs, " +
          "or say it: figure.madeBy(provenanceOf({ model, step })).",
      );
    }
    const { reproduceRuns } = await import("../model/reproduce.ts"); // with the runtime, which drawing does not need
    return await reproduceRuns(provenance, options);
  }

  async #pixels(format: PictureFormat, { density = 2 }: RenderOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return await carrying(await drawRaster(await this.drawing(), format, density), format, await this.provenance());
  }

  async #encode(format: FigureFormat, options?: RenderOptions & VectorOptions): Promise<Uint8Array<ArrayBuffer>> {
    switch (format) {
      case "svg":
        return new TextEncoder().encode(await this.svg(options));
      case "pdf":
        return await this.pdf(options);
      default:
        return await this.#pixels(format, options);
    }
  }
}

function figureFormat(path: string): FigureFormat {
  const ending = extname(path).toLowerCase();
  const format = figureFormats.find((format) => ending === `.${format}`);
  if (format !== undefined) return format;
  throw new RangeError(
    `Cannot save ${path}: ${ending === "" ? "it has no ending" : `${ending} is not an ending of a figure`}. ` +
      `Wanted: .png, .webp, .svg or .pdf.`,
  );
}
