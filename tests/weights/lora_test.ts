/** What a LoRA file changes in a model, from its header alone. */

import { openCheckpoint } from "fewstep/weights/open.ts";
import { openLora } from "fewstep/weights/lora.ts";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";
import { FOLDER, save, type Stored } from "../layouts.ts";

const model = await openCheckpoint(FOLDER);

const LINEAR = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
const CONVOLUTION = "unet.mid_block.resnets.0.conv1";
const key = (module: string) => `${module.slice("unet.".length)}.weight`;
const [out, columns] = model.unet.weights.shape(key(LINEAR)) ?? [];
const [convOut, convIn, k] = model.unet.weights.shape(key(CONVOLUTION)) ?? [];

const tensor = (...shape: number[]): Stored => (
  { dtype: "F32", shape, bytes: new Uint8Array(4 * shape.reduce((product, size) => product * size, 1)) }
);
const scalar = (value: number): Stored => (
  { dtype: "F32", shape: [], bytes: new Uint8Array(Float32Array.of(value).buffer) }
);
const pair = (module: string, down: Stored, up: Stored): [string, Stored][] => [
  [`${module}.lora_down.weight`, down],
  [`${module}.lora_up.weight`, up],
];

async function opened(tensors: readonly (readonly [string, Stored])[]) {
  let lora: Awaited<ReturnType<typeof openLora>> | undefined;
  await inFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await save(path, new Map(tensors));
    lora = await openLora(path, model);
  });
  if (lora === undefined) throw new Error("no LoRA was opened");
  return lora;
}

const linear = pair(LINEAR, tensor(4, columns), tensor(out, 4));

for (const naming of ["kohya-diffusers", "kohya-original", "peft", "peft-metadata", "diffusers"]) {
  Deno.test(`${naming}: every module finds its weight, with alpha over rank`, async () => {
    const { modules, ranks, unmatched } = await openLora(goldenPath(`lora-${naming}.safetensors`), model);
    equal([ranks, unmatched], [[2], []]);
    equal(Object.values(modules).map(({ size }) => size), [197, 12, 12]);
    const scale = /^(peft|diffusers)$/.test(naming) ? 1 : 2; // alpha 4 at rank 2
    for (const of of Object.values(modules)) for (const module of of.values()) equal(module.scale, scale, module.key);
  });
}

Deno.test("the scale is alpha over rank, and 1 without an alpha", async () => {
  const scaleOf = async (...more: [string, Stored][]) =>
    (await opened([...linear, ...more])).modules.unet.get(key(LINEAR))?.scale;
  equal(await scaleOf(), 1);
  equal(await scaleOf([`${LINEAR}.alpha`, scalar(1)]), 0.25);
  for (const alpha of [NaN, Infinity]) {
    await throwsSentence(() => scaleOf([`${LINEAR}.alpha`, scalar(alpha)]), /wanted are finite numbers above 0/);
  }
});

Deno.test("matrices take the shape of their weight: a convolution of 3×3 and one of 1×1 after it", async () => {
  const { modules } = await opened(pair(CONVOLUTION, tensor(4, convIn, k, k), tensor(convOut, 4, 1, 1)));
  const module = modules.unet.get(key(CONVOLUTION));
  equal([module?.down.shape, module?.up.shape], [[4, convIn, k, k], [convOut, 4, 1, 1]]);
  const pointwise = await opened(pair(LINEAR, tensor(4, columns, 1, 1), tensor(out, 4, 1, 1)));
  const flat = pointwise.modules.unet.get(key(LINEAR));
  equal([flat?.down.shape, flat?.up.shape], [[4, columns], [out, 4]]);
});

Deno.test("matrices of another size than their weight's are refused, whichever side is wrong", async () => {
  const wrong = [
    pair(LINEAR, tensor(4, columns + 1), tensor(out, 4)),
    pair(LINEAR, tensor(4, columns), tensor(out + 1, 4)),
    pair(LINEAR, tensor(4, columns), tensor(out, 3)),
    pair(LINEAR, tensor(4, columns / 2, 2), tensor(out, 4)),
    pair(LINEAR, tensor(4, columns), tensor(out / 2, 8)),
    pair(CONVOLUTION, tensor(4, convIn), tensor(convOut, 4)),
  ];
  for (const tensors of wrong) await throwsSentence(() => opened(tensors), /Was it made for another model\?$/);
});

Deno.test("of a hundred modules two may be strangers, and are listed; a third is refused", async () => {
  const weights = model.unet.weights.refs.filter(({ key }) =>
    /attn.*to_(q|k|v|out\.0)\.weight$|ff\..*weight$/.test(key)
  );
  const known = weights.slice(0, 98).flatMap(({ key, shape: [rows, width] }) =>
    pair(`unet.${key.replace(/\.weight$/, "")}`, tensor(1, width), tensor(rows, 1))
  );
  equal(known.length, 196);
  const strangers = (count: number) =>
    Array.from({ length: count }, (_, i) => pair(`unet.nowhere.${i}`, tensor(1, 4), tensor(4, 1))).flat();
  equal((await opened([...known, ...strangers(2)])).unmatched, ["unet.nowhere.0", "unet.nowhere.1"]);
  await throwsSentence(() => opened([...known, ...strangers(3)]), /3 of its 101 modules are not in this model/);
});

Deno.test("a module that is there twice, or by half, is told by its name", async () => {
  const other = LINEAR.replace("unet.", "lora_unet_").replaceAll(".", "_");
  await throwsSentence(
    () => opened([...linear, ...pair(other, tensor(4, columns), tensor(out, 4))]),
    /is not the first in it that changes/,
  );
  await throwsSentence(() => opened([linear[0]]), /has no up matrix to its other/);
  await throwsSentence(() => opened([linear[1]]), /has no down matrix to its other/);
  const { modules } = await opened(linear);
  ok(modules.unet.size === 1 && modules.text_encoder.size === 0, "one module was wanted");
});

Deno.test("of a hundred names two may be strange: they are listed; three of a hundred and one are too many", async () => {
  const linears = [...model.unet.weights.refs].filter(({ key, shape }) =>
    /\.(to_[qkv]|to_out\.0|net\.2)\.weight$/.test(key) && shape.length === 2
  ).slice(0, 98);
  equal(linears.length, 98);
  const modules = linears.flatMap(({ key, shape: [out, columns] }) =>
    pair(`unet.${key.slice(0, -".weight".length)}`, tensor(1, columns), tensor(out, 1))
  );
  const strange = (count: number) => Array.from({ length: count }, (_, i) => [`note.${i}`, scalar(0)] as const);
  equal((await opened([...modules, ...strange(2)])).unmatched, ["note.0", "note.1"]);
  await throwsSentence(() => opened([...modules, ...strange(3)]), /3 of its 101 modules are not in this model/);
});
