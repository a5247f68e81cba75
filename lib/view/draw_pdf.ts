/**
 * A drawing as PDF, by PDFKit: vectors stay vectors, pictures are embedded without loss, and words are text in embedded
 * subsets of the kit's own fonts, so that they look the same everywhere and can be searched, copied and read aloud.
 */

// @ts-types="./pdfkit.d.ts"
import PDFDocument from "pdfkit";
import type { Drawing, PlacedPicture, PlacedShape, PlacedText } from "./drawing.ts";
import { embedded } from "./draw_svg.ts";
import { VERSION } from "../version.ts";
import { fontBytes, type FontRun, Pen } from "./text.ts";

/** A CSS pixel is 1/96 inch, PDF's point 1/72. */
const point = 72 / 96;

/** What a PDF says about itself. */
export interface PdfMetadata {
  readonly title: string;
  /** An RDF description, into the XMP packet. */
  readonly xmp?: string;
}

/** @param density the most pixels of a picture per CSS pixel; what has more is reduced */
export async function drawPdf(
  drawing: Drawing,
  density: number,
  { title, xmp }: PdfMetadata,
): Promise<Uint8Array<ArrayBuffer>> {
  const document = new PDFDocument({
    size: [drawing.width * point, drawing.height * point],
    margin: 0,
    pdfVersion: "1.7",
    lang: "en",
    displayTitle: true,
    info: { Title: withoutMarkup(title), Creator: `Fewstep ${VERSION}`, Producer: "PDFKit" },
  });
  const chunks: Uint8Array[] = [];
  const written = new Promise<void>((resolve, reject) => {
    document.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    document.on("end", resolve);
    document.on("error", reject);
  });
  document.scale(point);
  document.rect(0, 0, drawing.width, drawing.height).fill("#ffffff");
  for (const picture of drawing.pictures) await placePicture(document, picture, density);
  for (const shape of drawing.shapes ?? []) placeShape(document, shape);
  const placed = drawing.texts.map((text) => ({ ...text, ...new Pen(text.weight).runs(text.text, text.size) }));
  const files = new Set(placed.flatMap(({ runs }) => runs.map(({ file }) => file)));
  for (const file of files) document.registerFont(file, fontBytes(file));
  for (const text of placed) placeText(document, text);
  if (xmp !== undefined) document.appendXML(xmp);
  document.end();
  await written;
  return new Uint8Array(await new Blob(chunks.map((chunk) => new Uint8Array(chunk))).arrayBuffer());
}

/** PDFKit copies these into its XML as they are. */
function withoutMarkup(text: string): string {
  return text.replaceAll("&", "and").replaceAll("<", "‹").replaceAll(">", "›");
}

async function placePicture(document: PDFDocument, picture: PlacedPicture, density: number): Promise<void> {
  const { png } = await embedded(picture, density);
  const { x, y, width, height } = picture;
  document.image(png, x, y, { width, height });
}

function placeShape(
  document: PDFDocument,
  { path, offset, fill, stroke, strokeWidth = 1, dash, opacity = 1 }: PlacedShape,
): void {
  document.save().translate(offset?.x ?? 0, offset?.y ?? 0).path(path).opacity(opacity).lineJoin("round").lineCap(
    "round",
  ).lineWidth(strokeWidth);
  if (dash !== undefined) document.dash(dash[0], { space: dash[1] ?? dash[0] });
  if (fill !== undefined && stroke !== undefined) document.fillAndStroke(fill, stroke);
  else if (fill !== undefined) document.fill(fill);
  else if (stroke !== undefined) document.stroke(stroke);
  document.restore();
}

/** Kerning and substitutions off: the layout measured the words without, and "0x0" is to stay what it is. */
const features = Object.fromEntries(
  ["calt", "ccmp", "clig", "curs", "kern", "liga", "locl", "mark", "mkmk", "rclt", "rlig"].map((tag) => [tag, false]),
);

function placeText(
  document: PDFDocument,
  { runs, width, x, y, angle = 0, size, color, anchor }: PlacedText & {
    readonly runs: FontRun[];
    readonly width: number;
  },
): void {
  const left = x - (anchor === "middle" ? width / 2 : anchor === "end" ? width : 0);
  document.save();
  if (angle !== 0) document.rotate(angle, { origin: [x, y] });
  document.fontSize(size).fillColor(color ?? "#1c1c1c");
  for (const { file, text, x: along } of runs) {
    if (text.trim() === "") continue;
    document.font(file).text(text, left + along, y, { lineBreak: false, baseline: "alphabetic", features });
  }
  document.restore();
}
