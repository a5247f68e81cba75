/**
 * A drawing as SVG: pictures embedded as PNG without loss, words as outlines.
 *
 * Outlines, because a font that is named is replaced where it is missing, and one that is embedded is ignored by
 * Inkscape, Illustrator, librsvg and LaTeX. Each line of words keeps its text as a label for screen readers.
 */

import { Buffer } from "node:buffer";
import type { Drawing, PlacedPicture, PlacedShape } from "./drawing.ts";
import { loadSharp } from "./picture.ts";
import type { Raster } from "./raster.ts";
import { escapeXml } from "./table.ts";
import { Pen } from "./text.ts";

/** @param density the most pixels of a picture per CSS pixel; what has more is reduced */
export async function drawSvg(drawing: Drawing, density: number, metadata?: string): Promise<string> {
  const { width, height, alt } = drawing;
  const pictures = await Promise.all(drawing.pictures.map(async (picture) => {
    const { x, y, width, height } = picture;
    const { png } = await embedded(picture, density);
    return `<image x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none" ` +
      `href="data:image/png;base64,${png.toString("base64")}"/>`;
  }));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `role="img" aria-label="${escapeXml(alt)}">`,
    `<title>${escapeXml(alt)}</title>`,
    ...metadata === undefined ? [] : [`<metadata>${metadata}</metadata>`],
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...pictures,
    shapesAsSvg(drawing),
    wordsAsSvg(drawing),
    "</svg>\n",
  ].filter((line) => line !== "").join("\n");
}

/** A picture as the PNG that a document embeds: never enlarged, but for hard pixels, which viewers would blur. */
export async function embedded(
  { raster, scaling, width, height }: PlacedPicture,
  density: number,
): Promise<{ png: Buffer; width: number; height: number }> {
  const sharp = await loadSharp();
  const times = scaling === "hard" ? Math.max(1, Math.round(2 * width / raster.width)) : 1;
  const wide = Math.min(raster.width * times, Math.max(1, Math.round(width * density)));
  const high = Math.min(raster.height * times, Math.max(1, Math.round(height * density)));
  const picture = sharp(raster.data, { raw: rawOf(raster) });
  const same = wide === raster.width && high === raster.height;
  const sized = same
    ? picture
    : picture.resize(wide, high, { fit: "fill", kernel: scaling === "hard" ? "nearest" : "lanczos3" });
  return { png: await sized.png({ adaptiveFiltering: true }).toBuffer(), width: wide, height: high };
}

const rawOf = ({ width, height }: Raster) => ({ width, height, channels: 3 as const });

export function shapesAsSvg({ shapes = [] }: Drawing): string {
  return shapes.map(shapeAsSvg).join("\n");
}

function shapeAsSvg({ path, offset, fill = "none", stroke, strokeWidth = 1, dash, opacity = 1 }: PlacedShape): string {
  const line = stroke === undefined
    ? ""
    : ` stroke="${stroke}" stroke-width="${strokeWidth}" stroke-linejoin="round" stroke-linecap="round"` +
      (dash ? ` stroke-dasharray="${dash.join(" ")}"` : "");
  const moved = offset && (offset.x !== 0 || offset.y !== 0) ? ` transform="translate(${offset.x} ${offset.y})"` : "";
  return `<path d="${path}"${moved} fill="${fill}"${line}${opacity === 1 ? "" : ` opacity="${opacity}"`}/>`;
}

export function wordsAsSvg({ texts }: Drawing): string {
  const pens = { 400: new Pen(400), 600: new Pen(600) };
  return texts.map(({ text, x, y, angle = 0, ...style }) => {
    const outline = pens[style.weight ?? 400].draw(text, x, y, style);
    if (outline === "") return "";
    const turned = angle === 0 ? "" : ` transform="rotate(${angle} ${x} ${y})"`;
    return `<g aria-label="${escapeXml(text)}"${turned}>${outline}</g>`;
  }).join("\n");
}
