/** `await show(x)`: the one way to look at something, in a notebook and in a terminal. */

import { isInspection } from "../model/inspect/inspection.ts";
import { Step } from "../model/step.ts";
import { formatShape, Tensor } from "../tensor/tensor.ts";
import { Figure } from "./figure.ts";
import { inspectionHtml, inspectionText } from "./inspection.ts";
import { isLatent, isPicture, type LookOptions } from "./items.ts";
import { type Bundle, display, inNotebook } from "./notebook.ts";
import { loadSharp } from "./picture.ts";
import { Slider } from "./slider.ts";
import { stepFigure, stepLine } from "./step.ts";
import { strip } from "./strip.ts";
import { isTable, tableHtml, tableText } from "./table.ts";
import { Table } from "./table_export.ts";

/** Characters of base64 that a picture in a notebook may have as PNG: what is more goes as JPEG, a fifth of it. */
const pngLimit = 250_000;
/** Characters of base64 that any picture in a notebook may have: notebooks stay small, and outputs arrive whole. */
const pictureLimit = 1_000_000;

/**
 * Shows a value and waits until it is on the screen:
 * - a `Step`: x_t and x0 as pictures, its place on the schedule, milliseconds and memory;
 * - a picture `[batch, 3, H, W]` in 0..1, or a latent `[batch, 4, h, w]`;
 * - a `Figure`, as `strip` and `grid` make it; a `Slider`, and under it all of its frames for where no script runs;
 * - what `inspect` found, as tables; a `Table`, as `costTable` makes it;
 * - a list of flat objects, as a table; any other value, as `console.log` prints it.
 *
 * In a notebook a cell shows what is awaited here, never its last expression. Elsewhere a line of text is printed.
 * @param options how latents become pictures: `{ decode: model }`, or a linear fit without it.
 */
export async function show(value: unknown, options: LookOptions = {}): Promise<void> {
  if (!inNotebook) return console.log(await inWords(value));
  const figure = asFigure(value, options);
  if (figure !== undefined) return await showFigure(figure);
  if (value instanceof Slider) {
    await display({ "text/html": await value.html(), "text/plain": await value.sheet.alt() });
    return await showFigure(value.sheet);
  }
  if (isTable(value)) return await display({ "text/html": tableHtml(value), "text/plain": tableText(value) });
  if (value instanceof Table) return await display({ "text/html": value.html(), "text/plain": value.text() });
  if (isInspection(value)) {
    return await display({ "text/html": inspectionHtml(value), "text/plain": inspectionText(value) });
  }
  await display({ "text/plain": plain(value) });
}

function asFigure(value: unknown, options: LookOptions): Figure | undefined {
  if (value instanceof Figure) return value;
  if (value instanceof Step) return stepFigure(value, options);
  if (value instanceof Tensor && (isPicture(value) || isLatent(value))) {
    const [batch] = value.shape.length === 4 ? value.shape : [1];
    return strip(
      Array.from({ length: batch }, (_, index) => batch === 1 ? value : value.slice(index, index + 1)),
      options,
    );
  }
  return undefined;
}

async function showFigure(figure: Figure): Promise<void> {
  const [{ width, pictures }, alt] = [await figure.drawing(), await figure.alt()];
  const png = await figure.png();
  const [type, data, note] = await withinLimit(pictures.length === 0 ? await withFewColors(png) : png);
  const bundle: Bundle = { [type]: data, "text/plain": alt + note };
  // nbconvert reads alt beside the type, VS Code its own name; JupyterLab 4.6 gives pictures no words at all.
  await display(bundle, { metadata: { [type]: { width, alt }, vscode_altText: alt } });
}

/** Lines and words alone: 256 colours hold them, edges included, in a third of the bytes. */
async function withFewColors(png: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const sharp = await loadSharp();
  return new Uint8Array(await sharp(png).png({ palette: true, quality: 100, dither: 0 }).toBuffer());
}

/**
 * A picture small enough for a notebook: as it is, else as JPEG, else as JPEG with fewer pixels.
 * @returns MIME type, base64, and a note for what was lost.
 */
async function withinLimit(png: Uint8Array<ArrayBuffer>): Promise<[type: string, data: string, note: string]> {
  if (png.length * 4 / 3 <= pngLimit) return ["image/png", png.toBase64(), ""];
  const sharp = await loadSharp();
  const { width = 1 } = await sharp(png).metadata();
  for (const scale of [1, 1 / 2, 1 / 4, 1 / 8]) {
    const jpeg = new Uint8Array(
      await sharp(png).resize({ width: Math.max(1, Math.round(width * scale)) })
        .jpeg({ quality: 90, chromaSubsampling: "4:4:4" }).toBuffer(),
    );
    const note = scale === 1
      ? ""
      : ` (shown with ${1 / scale} times fewer pixels a side; save the figure for all of them)`;
    if (jpeg.length * 4 / 3 <= pictureLimit) return ["image/jpeg", jpeg.toBase64(), note];
  }
  throw new RangeError(
    "Cannot show this figure: it is too large for a notebook. Save it to a file with figure.save(path).",
  );
}

/** What a terminal gets. */
async function inWords(value: unknown): Promise<string> {
  if (value instanceof Step) return stepLine(value);
  if (value instanceof Figure) {
    const { width, height, alt } = await value.drawing();
    return `${alt} (a figure of ${width}×${height}; write it with .save("figure.png"))`;
  }
  if (value instanceof Slider) return `${await value.sheet.alt()} (write it with .save("slider.html"))`;
  if (value instanceof Tensor) {
    if (isPicture(value)) {
      return `picture ${formatShape(value.shape)} (write it with savePicture(picture, "picture.png"))`;
    }
    return `${isLatent(value) ? "latent" : "tensor"} ${formatShape(value.shape)}`;
  }
  if (value instanceof Table) return value.text();
  if (isInspection(value)) return inspectionText(value);
  return isTable(value) ? tableText(value) : plain(value);
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : Deno.inspect(value, { depth: 4, iterableLimit: 20 });
}
