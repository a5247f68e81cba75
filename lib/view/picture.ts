/** Pictures to files and back: PNG and WebP. */

import { dirname, extname } from "node:path";
import type { Metadata, SharpConstructor } from "sharp";
import type { Provenance } from "../model/provenance.ts";
import { formatShape, Tensor } from "../tensor/tensor.ts";
import { makeFolder, readBytes, writeWhole } from "../weights/files.ts";
import { type Raster, rasters, tensorOf } from "./raster.ts";

/** The kinds of picture files that the kit writes, by their ending. */
export type PictureFormat = "png" | "webp";

/** `sharp`, loaded when the first picture needs it: it takes longer to load than the rest of a command. */
export async function loadSharp(): Promise<SharpConstructor> {
  return (await import("sharp")).default;
}

/** The format that a path's ending asks for. @throws RangeError for an ending that the kit does not write. */
export function pictureFormat(path: string): PictureFormat {
  const ending = extname(path).toLowerCase();
  if (ending === ".png") return "png";
  if (ending === ".webp") return "webp";
  throw new RangeError(
    `Cannot save ${path}: ${ending === "" ? "it has no ending" : `${ending} is not an ending the kit can write`}. ` +
      `Wanted: .png or .webp.`,
  );
}

/** Writes bytes whole or not at all, into a folder that is made when it is missing. */
export async function writeInto(path: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(dirname(path));
  await writeWhole(path, bytes);
}

/** A picture as the bytes of a file. WebP is written without loss, as PNG is. */
export async function encode(raster: Raster, format: PictureFormat = "png"): Promise<Uint8Array<ArrayBuffer>> {
  const sharp = await loadSharp();
  const { width, height, data } = raster;
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const bytes = await (format === "png" ? image.png({ adaptiveFiltering: true }) : image.webp({ lossless: true }))
    .toBuffer();
  return new Uint8Array(bytes);
}

/** What a saved picture carries beside its pixels. */
export interface SavePictureOptions {
  /** What made it, as `provenanceOf` tells: the file carries it, with what A1111's and ComfyUI's readers show. */
  readonly provenance?: Provenance;
}

/**
 * Writes one picture, `[1, 3, height, width]` or `[3, height, width]` in 0..1, as .png or .webp.
 * @throws RangeError for a batch or another shape, and for an unknown ending, before anything is written.
 */
export async function savePicture(
  picture: Tensor,
  path: string,
  { provenance }: SavePictureOptions = {},
): Promise<void> {
  const format = pictureFormat(path);
  const [first, ...others] = rasters(picture);
  if (first === undefined || others.length > 0) {
    throw new RangeError(
      `Cannot save ${formatShape(picture.shape)} as ${path}: one picture was wanted. Take one with .slice(0, 1).`,
    );
  }
  const bytes = await encode(first, format);
  const { carrying } = await import("./carry.ts");
  await writeInto(path, provenance === undefined ? bytes : await carrying(bytes, format, provenance));
}

/**
 * Reads a picture file (PNG, WebP, JPEG) as `[1, 3, height, width]` in 0..1. Transparency is laid on white.
 * @throws Error with one sentence when the path cannot be read or is no picture.
 */
export async function readPicture(source: string | Uint8Array): Promise<Tensor> {
  const name = typeof source === "string" ? source : "the picture";
  const bytes = typeof source === "string" ? await readBytes(source, MAX_PICTURE_BYTES) : source;
  await wantPicture(name, bytes);
  const sharp = await loadSharp();
  const { data, info } = await sharp(bytes, { limitInputPixels: MAX_PIXELS }).autoOrient()
    .flatten({ background: "#ffffff" }).toColourspace("srgb").raw().toBuffer({ resolveWithObject: true })
    .catch((error) => {
      throw noPicture(name, error);
    });
  const rgb = info.channels === 3 ? new Uint8Array(data) : grayToRgb(data);
  return tensorOf({ width: info.width, height: info.height, data: rgb });
}

/** A picture's file: 2²⁶ pixels without any compression are less. */
const MAX_PICTURE_BYTES = 2 ** 29;

/** 8192 × 8192. In float32 that is 805 MB, and no network of this family draws a hundredth of it. */
const MAX_PIXELS = 2 ** 26;

/** Of the many formats that sharp reads, some name other files or run programs of their own: these do not. */
const READ: readonly string[] = ["png", "webp", "jpeg"];

/** What a picture's header says. Rejects whatever is none, an empty file too, for which sharp itself throws at once. */
export async function metadataOf(bytes: Uint8Array): Promise<Metadata> {
  const sharp = await loadSharp();
  return await sharp(bytes, { limitInputPixels: false }).metadata();
}

/** Looks at the header alone: what is announced there is what would be taken of memory. */
async function wantPicture(name: string, bytes: Uint8Array): Promise<void> {
  const { format, width, height } = await metadataOf(bytes).catch((error) => {
    throw noPicture(name, error);
  });
  if (!READ.includes(format)) throw noPicture(name);
  if (width * height <= MAX_PIXELS) return;
  throw new RangeError(
    `Cannot read ${name}: its ${width}x${height} pixels would take ${(12 * width * height / 1e9).toFixed(1)} GB of ` +
      `memory; allowed are ${MAX_PIXELS} pixels.`,
  );
}

function noPicture(name: string, cause?: unknown): Error {
  return new Error(
    `Cannot read ${name}: it is not a picture that the kit can read. A PNG, WebP or JPEG file was wanted.`,
    { cause },
  );
}

function grayToRgb(gray: Uint8Array): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array(gray.length * 3);
  gray.forEach((value, pixel) => rgb.fill(value, pixel * 3, pixel * 3 + 3));
  return rgb;
}
