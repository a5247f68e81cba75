/** Something to show and to export: pictures and words on a white sheet. */

import { Buffer } from "node:buffer";
import { loadSharp, type PictureFormat, pictureFormat, writeInto } from "./picture.ts";
import type { Raster } from "./raster.ts";
import { Pen, type TextStyle } from "./text.ts";

/** A picture on the sheet, scaled to fill its place. Lengths are CSS pixels. */
export interface PlacedPicture {
  readonly raster: Raster;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Latents keep their hard pixels; photographs are interpolated. Default "smooth". */
  readonly scaling?: "smooth" | "hard";
}

/** A line of words; `y` is its baseline. */
export interface PlacedText extends TextStyle {
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

/** What stands on the sheet. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly pictures: readonly PlacedPicture[];
  readonly texts: readonly PlacedText[];
  /** The figure in words, for those who do not see it. */
  readonly alt: string;
}

export interface RenderOptions {
  /** Device pixels per CSS pixel. Default 2: sharp on today's screens and in print. */
  readonly density?: number;
}

/** What a machine without a limit would try to hold: 100 megapixels of figure. */
const pixelLimit = 100e6;

export class Figure {
  readonly #draw: () => Drawing | Promise<Drawing>;
  #drawing: Promise<Drawing> | undefined;

  /** @param draw lays the figure out, when it is first looked at: decoding latents takes time. */
  constructor(draw: () => Drawing | Promise<Drawing>) {
    this.#draw = draw;
  }

  /** What stands where. */
  drawing(): Promise<Drawing> {
    return this.#drawing ??= Promise.resolve().then(this.#draw);
  }

  /** The figure in words. */
  async alt(): Promise<string> {
    return (await this.drawing()).alt;
  }

  png(options?: RenderOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#encode("png", options);
  }

  webp(options?: RenderOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#encode("webp", options);
  }

  /**
   * Writes the figure; the path's ending picks the format: .png or .webp. The file is there whole or not at all.
   * @throws RangeError for another ending, before anything is drawn.
   */
  async save(path: string, options?: RenderOptions): Promise<void> {
    await writeInto(path, await this.#encode(pictureFormat(path), options));
  }

  async #encode(format: PictureFormat, { density = 2 }: RenderOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const drawing = await this.drawing();
    const width = Math.round(drawing.width * density);
    const height = Math.round(drawing.height * density);
    if (!(density > 0) || width * height > pixelLimit) {
      throw new RangeError(
        `Cannot draw a figure of ${width}×${height} pixels: the kit draws up to 100 megapixels. ` +
          `Choose a smaller density or cell.`,
      );
    }
    const sharp = await loadSharp();
    const layers = await Promise.all(drawing.pictures.map(async ({ raster, scaling, ...place }) => {
      const [left, top] = [Math.round(place.x * density), Math.round(place.y * density)];
      const right = Math.round((place.x + place.width) * density);
      const bottom = Math.round((place.y + place.height) * density);
      const input = await sharp(raster.data, { raw: { width: raster.width, height: raster.height, channels: 3 } })
        .resize(right - left, bottom - top, { fit: "fill", kernel: scaling === "hard" ? "nearest" : "lanczos3" })
        .png({ compressionLevel: 0 }).toBuffer();
      return { input, left, top };
    }));
    const words = wordsAsSvg(drawing, width, height);
    const sheet = sharp({ create: { width, height, channels: 3, background: "#ffffff" } })
      .composite([...layers, { input: Buffer.from(words), left: 0, top: 0 }])
      .removeAlpha();
    const bytes = await (format === "png" ? sheet.png({ adaptiveFiltering: true }) : sheet.webp({ lossless: true }))
      .toBuffer();
    return new Uint8Array(bytes);
  }
}

function wordsAsSvg({ width, height, texts }: Drawing, pixelsWide: number, pixelsHigh: number): string {
  const pens = { 400: new Pen(400), 600: new Pen(600) };
  const outlines = texts.map(({ text, x, y, ...style }) => pens[style.weight ?? 400].draw(text, x, y, style));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${pixelsWide}" height="${pixelsHigh}" ` +
    `viewBox="0 0 ${width} ${height}">${outlines.join("")}</svg>`;
}
