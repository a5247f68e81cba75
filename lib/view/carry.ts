/**
 * Files that carry what made them: PNG in text chunks, WebP and PDF in XMP, SVG in its metadata; files without a place
 * for it (CSV, Parquet, LaTeX, Markdown, HTML) get `FILE.json` beside them.
 */

import { Buffer } from "node:buffer";
import { extname } from "node:path";
import { parseProvenance, type Provenance } from "../model/provenance.ts";
import { kindOf, readBytes, readText } from "../weights/files.ts";
import { parametersOf } from "./parameters.ts";
import { loadSharp, metadataOf, type PictureFormat } from "./picture.ts";
import { textsOf, withText } from "./png_text.ts";
import { escapeXml } from "./table.ts";

/** The keyword in PNG files. */
const keyword = "fewstep";
const namespace = "urn:fewstep:provenance:1";

/** A picture's file with what made it in it. */
export async function carrying(
  bytes: Uint8Array<ArrayBuffer>,
  format: PictureFormat,
  provenance: Provenance | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  if (provenance === undefined) return bytes;
  if (format === "png") {
    return withText(bytes, new Map([...parametersOf(provenance), [keyword, JSON.stringify(provenance)]]));
  }
  const sharp = await loadSharp();
  const packet =
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
    `${asRdf(provenance)}</rdf:RDF></x:xmpmeta>`;
  return new Uint8Array(await sharp(bytes).withXmp(packet).webp({ lossless: true }).toBuffer());
}

/** An RDF description, for XMP packets. */
export function asRdf(provenance: Provenance): string {
  return `<rdf:Description rdf:about="" xmlns:fewstep="${namespace}">${asXml(provenance)}</rdf:Description>`;
}

/** An element of the kit's own namespace, for SVG's metadata. */
export function asElement(provenance: Provenance): string {
  return asXml(provenance).replace("<fewstep:provenance>", `<fewstep:provenance xmlns:fewstep="${namespace}">`);
}

const asXml = (provenance: Provenance) =>
  `<fewstep:provenance>${escapeXml(JSON.stringify(provenance))}</fewstep:provenance>`;

/** Where a file's provenance stands when the file itself has no place for it. */
export const sidecarOf = (path: string) => `${path}.json`;

/**
 * What made an exported file.
 * @throws an Error in one sentence when it cannot be read, or carries nothing
 */
export async function readProvenance(path: string): Promise<Provenance> {
  const text = await carriedText(path);
  if (text === undefined) {
    throw new Error(
      `Cannot tell what made ${path}: it carries nothing that this kit wrote. Other tools drop it when they save anew.`,
    );
  }
  return parseProvenance(text, path);
}

async function carriedText(path: string): Promise<string | undefined> {
  switch (extname(path).toLowerCase()) {
    case ".png":
      return textsOf(await bytesOf(path), path).get(keyword);
    case ".webp": {
      const { xmp } = await metadataOf(await bytesOf(path)).catch((error) => {
        throw new SyntaxError(`Cannot tell what made ${path}: it is not a WebP that can be read.`, { cause: error });
      });
      return xmp && fromXml(xmp.toString("utf8"));
    }
    case ".svg":
      return fromXml(await readText(path));
    case ".pdf":
      return fromXml(Buffer.from(await bytesOf(path)).toString("utf8"));
    case ".json":
      return await readText(path);
    default:
      return await kindOf(sidecarOf(path)) === "file" ? await readText(sidecarOf(path)) : undefined;
  }
}

/** Exports of many pages and pictures: the kit's own largest has 30 MB. */
const MAX_EXPORT_BYTES = 2 ** 29;

const bytesOf = (path: string) => readBytes(path, MAX_EXPORT_BYTES);

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', amp: "&" };

function fromXml(text: string): string | undefined {
  const [, escaped] = /<fewstep:provenance[^>]*>([^<]*)<\/fewstep:provenance>/.exec(text) ?? [];
  return escaped?.replace(/&(lt|gt|quot|amp);/g, (_, name: string) => entities[name]);
}
