/** Every layout holds the folder's weights: the same names, shapes and numbers, and back to the original's names. */

import {
  originalTextEncoder,
  originalTextEncoder2,
  originalUnet,
  originalVae,
  type Stored,
} from "fewstep/weights/keys/original_names.ts";
import type { Contents } from "fewstep/weights/checkpoint.ts";
import { isTiny } from "fewstep/weights/architecture.ts";
import { openContents } from "fewstep/weights/open.ts";
import { readWeight } from "fewstep/weights/read.ts";
import { shapeOf, type Weights } from "fewstep/weights/weights.ts";
import { join } from "node:path";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { FOLDER, layouts, write } from "../layouts.ts";

const LAYOUTS: Readonly<Record<string, string>> = {
  "single-original": "single file, original names",
  "single-diffusers": "single file, diffusers names",
  "unet-original": "U-Net file, original names",
  "unet-original-prefixed": "U-Net file, original names",
  "unet-diffusers": "U-Net file, diffusers names",
  "vae-original": "VAE file, original names",
  "vae-diffusers": "VAE file, diffusers names",
};

const partsOf = ({ unet, vae, textEncoder, textEncoder2 }: Contents) => ({ unet, vae, textEncoder, textEncoder2 });

/** One weight of each kind that is stored otherwise somewhere: fused, turned, squeezed, split; and of each block. */
const SAMPLED = new RegExp(
  "^text_projection|layers\\.1\\.self_attn\\.[qkv]_proj|mid_block\\.attentions\\.0\\.(to_|group_norm|.*attn1\\.to_q)|" +
    "time_embedding\\.linear_2|add_embedding|proj_(in|out)|(down|up)(_blocks|samplers)\\.[01].*conv",
);

async function same(of: Weights, folder: Weights, part: string): Promise<void> {
  const shapes = (weights: Weights) =>
    Object.fromEntries(weights.refs.map(({ key }) => [key, weights.shape(key)]).toSorted());
  equal(shapes(of), shapes(folder), part);
  let compared = 0;
  for (const { key } of folder.refs.filter(({ key }) => SAMPLED.test(key))) {
    const [here, there] = [of, folder].map((weights) => weights.get(key, weights.shape(key) ?? []));
    equal(shapeOf(here), shapeOf(there), key);
    equal((await readWeight(here)).data, (await readWeight(there)).data, key);
    compared++;
  }
  ok(compared > 0, `${part}: no weight was compared`);
}

for (const [name, layout] of Object.entries(LAYOUTS)) {
  Deno.test(`${name}: the folder's weights under the folder's names`, () =>
    inFolder(async (folder) => {
      const path = join(folder, "a.safetensors");
      await write(path, layouts[name]);
      const [contents, wanted] = [await openContents(path), await openContents(FOLDER)];
      equal([contents.layout, contents.unknown], [layout, []]);
      const parts = partsOf(contents);
      const whole = name.startsWith("single");
      for (const [part, of] of Object.entries(partsOf(wanted))) {
        const found = parts[part as keyof typeof parts];
        equal(found !== undefined, whole || name.startsWith(part), part);
        if (found !== undefined && of !== undefined) await same(found.weights, of.weights, part);
      }
    }));
}

Deno.test("diffusers' names become the original's, as the independent script has them", async () => {
  const { unet, vae, textEncoder, textEncoder2 } = await openContents(FOLDER);
  if (!unet || !vae || !textEncoder || !textEncoder2 || isTiny(vae.architecture)) throw new Error("parts are missing");
  const keys = ({ weights }: { readonly weights: Weights }) => weights.refs.map(({ key }) => key);
  const made = [
    ...originalUnet(keys(unet), unet.architecture),
    ...originalVae(keys(vae), vae.architecture),
    ...originalTextEncoder(keys(textEncoder)),
    ...originalTextEncoder2(keys(textEncoder2)),
  ];
  const row = ({ name, keys, how }: Stored) => [name, keys.join(" "), keys.length > 1 ? "fuse" : how ?? ""];
  const wanted = layouts["single-original"].map(([name, _, key, how]) => [name, key, how]);
  const read = new Set(made.map(({ name }) => name));
  equal(made.map(row).toSorted(), wanted.filter(([name]) => read.has(name)).toSorted());
  ok(wanted.length - made.length < 5, `${wanted.length - made.length} names were not made`);
});
