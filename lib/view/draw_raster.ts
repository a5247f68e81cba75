/** A drawing as pixels: PNG and WebP. */

import { Buffer } from "node:buffer";
import type { Drawing } from "./drawing.ts";
import { shapesAsSvg, wordsAsSvg } from "./draw_svg.ts";
import { loadSharp, type PictureFormat } from "./picture.ts";

/** What a machine without a limit would try to hold: 100 megapixels of figure. */
const pixelLimit = 100e6;

/** @param density device pixels per CSS pixel. @throws RangeError for more than 100 megapixels */
export async function drawRaster(
  drawing: Drawing,
  format: PictureFormat,
  density: number,
): Promise<Uint8Array<ArrayBuffer>> {
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
  const overlay = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${drawing.width} ${drawing.height}">${shapesAsSvg(drawing)}${wordsAsSvg(drawing)}</svg>`;
  const sheet = sharp({ create: { width, height, channels: 3, background: "#ffffff" } })
    .composite([...layers, { input: Buffer.from(overlay), left: 0, top: 0 }])
    .removeAlpha();
  const bytes = await (format === "png" ? sheet.png({ adaptiveFiltering: true }) : sheet.webp({ lossless: true }))
    .toBuffer();
  return new Uint8Array(bytes);
}
