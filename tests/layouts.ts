/** tiny-sdxl under the names of every published layout, as tests/goldens/layouts.py made and diffusers judged them. */

import { openSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { goldenPath, readJson } from "./goldens/read.ts";

export type Row = readonly [name: string, part: string, key: string, how: "" | "transpose" | "unsqueeze" | "fuse"];

export const FOLDER = goldenPath("tiny-sdxl");
export const FILES: Readonly<Record<string, string>> = {
  unet: "unet/diffusion_pytorch_model.safetensors",
  vae: "vae/diffusion_pytorch_model.safetensors",
  text_encoder: "text_encoder/model.safetensors",
  text_encoder_2: "text_encoder_2/model.safetensors",
};
export const { layouts } = readJson<{ layouts: Record<string, Row[]> }>("layouts.json");

export interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Writes tiny-sdxl under the names of a layout. `change` may alter what is written. */
export async function write(
  path: string,
  rows: readonly Row[],
  change: (tensors: Map<string, Stored>) => void = () => {},
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const parts = new Map<string, { bytes: Uint8Array; file: Awaited<ReturnType<typeof openSafetensors>> }>();
  for (const [part, file] of Object.entries(FILES)) {
    const source = join(FOLDER, file);
    parts.set(part, { bytes: await Deno.readFile(source), file: await openSafetensors(source) });
  }
  const read = (part: string, key: string): Stored => {
    const found = parts.get(part);
    const entry = found?.file.tensors.get(key);
    if (!found || !entry) throw new Error(`${part} has no ${key}`);
    const { dtype, shape, offset, byteLength } = entry;
    return { dtype, shape, bytes: found.bytes.slice(offset, offset + byteLength) };
  };
  const tensors = new Map<string, Stored>();
  for (const [name, part, key, how] of rows) {
    const [first, ...more] = key.split(" ").map((key) => read(part, key));
    if (how === "fuse") {
      const bytes = new Uint8Array(await new Blob([first, ...more].map(({ bytes }) => bytes.slice())).arrayBuffer());
      tensors.set(name, { ...first, shape: [first.shape[0] * 3, ...first.shape.slice(1)], bytes });
    } else if (how === "unsqueeze") tensors.set(name, { ...first, shape: [...first.shape, 1, 1] });
    else if (how === "transpose") tensors.set(name, transpose(first));
    else tensors.set(name, first);
  }
  change(tensors);
  await save(path, tensors, metadata);
}

function transpose({ dtype, shape: [rows, columns], bytes }: Stored): Stored {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  const out = Uint16Array.from(halves, (_, i) => halves[(i % rows) * columns + Math.floor(i / rows)]);
  return { dtype, shape: [columns, rows], bytes: new Uint8Array(out.buffer) };
}

/** A safetensors file of any tensors, with remarks in its header. */
export async function save(
  path: string,
  tensors: ReadonlyMap<string, Stored>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  let end = 0;
  const entries = Object.fromEntries([...tensors].map(([name, { dtype, shape, bytes }]) => {
    return [name, { dtype, shape, data_offsets: [end, end += bytes.length] }];
  }));
  const header = metadata === undefined ? entries : { __metadata__: metadata, ...entries };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  await Deno.writeFile(
    path,
    new Uint8Array(
      await new Blob([length, json, ...[...tensors.values()].map(({ bytes }) => bytes.slice())]).arrayBuffer(),
    ),
  );
}
