/** The U-Net in 8 bits: how far from float32, and the cache of its weights. */

import { compare, open, openRecord, provenanceOf, reproduceRuns, saveRecord } from "fewstep";
import { cpu } from "fewstep/graph/lowering.ts";
import { int8Unet } from "fewstep/model/int8.ts";
import { FLOAT32_LAYERS } from "fewstep/model/int8_layers.ts";
import { openCheckpoint } from "fewstep/weights/open.ts";
import { openSafetensors } from "fewstep/weights/safetensors.ts";
import { equal, ok, relativeL2, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

const REQUEST = { prompt: "gold", seed: 3, steps: 2, guidance: 0, size: { width: 64, height: 64 } } as const;

/** Runs `f` while the kit's cache is in a folder of its own. */
async function withCache(folder: string, f: () => Promise<void>): Promise<void> {
  const before = Deno.env.get("XDG_CACHE_HOME");
  Deno.env.set("XDG_CACHE_HOME", folder);
  try {
    await f();
  } finally {
    if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
    else Deno.env.set("XDG_CACHE_HOME", before);
  }
}

const filesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("int8 is close to float32 and not the same, and a record tells it", () =>
  inFolder((folder) =>
    withCache(folder, async () => {
      await using exact = await open(goldenPath("tiny-deep"));
      await using fast = await open(goldenPath("tiny-deep"), { precision: "int8" });
      equal(filesIn(folder), [], "nothing is quantised before it is needed");
      const wanted = await exact.next(await exact.begin(REQUEST));
      const step = await fast.next(await fast.begin(REQUEST));
      const off = relativeL2(step.prediction.data, wanted.prediction.data);
      ok(off > 1e-4 && off < 0.05, `the prediction is ${off} off, wanted is 1e-4 to 0.05`);
      equal(filesIn(`${folder}/fewstep/int8`).length, 1);
      await saveRecord(`${folder}/run.safetensors`, { model: fast, step });
      equal((await openRecord(`${folder}/run.safetensors`)).software.precision, "int8");
    })
  ));

Deno.test("what an int8 run or comparison made is made again in int8, to the bit", () =>
  inFolder((folder) =>
    withCache(folder, async () => {
      await using model = await open(goldenPath("tiny-deep"), { precision: "int8" });
      const { step } = await model.generate(REQUEST);
      const runs = await compare({
        models: [{ name: "int8", model: goldenPath("tiny-deep"), precision: "int8", recipes: [{ steps: 1 }] }],
        prompts: ["gold"],
        size: { width: 64, height: 64 },
        store: `${folder}/runs`,
      });
      for (const made of [await provenanceOf({ model, step }), await runs.provenance()]) {
        equal(made.models.map(({ precision }) => precision), ["int8"]);
        equal((await reproduceRuns(made, { folder: goldenPath(".") })).map(({ same }) => same), [true]);
      }
    })
  ));

Deno.test("quantised weights are kept by content, and made anew where the file is broken", () =>
  inFolder(async (folder) => {
    const { unet } = await openCheckpoint(goldenPath("tiny-deep"));
    await int8Unet(cpu, unet, { folder });
    const [name] = filesIn(folder);
    const path = `${folder}/${name}`;
    const made = Deno.readFileSync(path);
    const { tensors } = await openSafetensors(path);
    equal(FLOAT32_LAYERS.some(({ keys }) => [...tensors.keys()].some((key) => keys.test(key))), false);

    Deno.utimeSync(path, 0, 0);
    await int8Unet(cpu, unet, { folder });
    equal(Deno.statSync(path).mtime?.getTime(), 0, "the file was written again");

    for (const broken of [made.subarray(0, made.length - 1), new Uint8Array(64).fill(255)]) {
      Deno.writeFileSync(path, broken);
      await int8Unet(cpu, unet, { folder });
      equal(Deno.readFileSync(path), made);
    }

    await int8Unet(cpu, unet, { folder, most: 31 });
    equal(filesIn(folder).length, 2, "other codes need another file");
  }));

Deno.test("a precision that the processor does not have is refused with its reason", async () => {
  await throwsSentence(
    () => open(goldenPath("tiny-deep"), { precision: "bf16" }),
    /^Cannot compute in bf16 .*kernels/,
  );
});
