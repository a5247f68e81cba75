import { open } from "fewstep";
import { totalMemory } from "fewstep/measure/memory.ts";
import type { Precision } from "fewstep/model/precision.ts";
import { leastMemory, wantRoom } from "fewstep/model/room.ts";
import { readUnetConfig, readVaeConfig } from "fewstep/weights/config.ts";
import { parameters, Weights } from "fewstep/weights/weights.ts";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";
import { SDXL_CONFIGS } from "../synthetic.ts";

const TINY = goldenPath("tiny-deep");
const size = { width: 1024, height: 1024 };

Deno.test("SDXL at 1024 pixels: counted by hand", () =>
  inFolder(async (folder) => {
    for (const part of ["unet", "vae"]) {
      await Deno.writeTextFile(join(folder, part), JSON.stringify(SDXL_CONFIGS[part]));
    }
    const model = {
      unet: {
        architecture: await readUnetConfig(join(folder, "unet")),
        weights: new Weights("unet", []),
        told: "by config",
      },
      vae: {
        architecture: await readVaeConfig(join(folder, "vae")),
        weights: new Weights("vae", []),
        told: "by config",
      },
    } as const;
    // The decoder's last level reads 256 channels and writes 128 of 2²⁰ pixels, in four bytes each: 1.6 GB.
    const need = leastMemory(model, { batch: 1, size, guided: true, memory: "fast", precision: "fp32" });
    equal(need, { weights: 0, activations: 4 * (256 + 128) * 2 ** 20 });
    wantRoom(model, { batch: 1, size, guided: true, memory: "fast", precision: "fp32" }, 8e9);
    await throwsSentence(
      () => wantRoom(model, { batch: 16, size, guided: true, memory: "fast", precision: "fp32" }, 16e9),
      "Cannot draw 16 pictures of 1024x1024: that takes at least 25.8 GB of memory, 0.00 GB of it for weights; " +
        "there are 16.0 GB. Ask for fewer pictures or a smaller size.",
    );
  }));

Deno.test("what no machine has is refused before anything is drawn, loaded or run", async () => {
  await using model = await open(TINY);
  const began = performance.now();
  for (
    const request of [
      { size: { width: 8e6, height: 8e6 } },
      { noiseHabit: "one-stream", batch: 1e9 },
      { noiseHabit: "counted-up", batch: 2 ** 52 },
      { size: { width: 2 ** 40, height: 16 } },
    ] as const
  ) {
    await throwsSentence(
      () => model.begin({ prompt: "a", ...request }),
      /that takes at least \S+ GB of memory, .* there are/,
    );
  }
  ok(performance.now() - began < 5000, "it took memory or time first");
});

Deno.test("schedules that no memory has are refused too", async () => {
  await using model = await open(TINY);
  for (const steps of [1e9, 2 ** 53, Infinity, NaN, -1, 0.5, 0]) {
    await throwsSentence(() => model.plan({ steps, unguarded: true }), /steps|whole number/);
  }
});

Deno.test("weights that do not fit: lean leaves them where they lie, fewer bits take less", async () => {
  await using model = await open(TINY);
  const wanted = { batch: 1, size: { width: 16, height: 16 }, guided: false, memory: "fast" } as const;
  await throwsSentence(
    () => wantRoom(model.checkpoint, { ...wanted, precision: "fp32" }, 1e5),
    /Open the model with memory "lean"\.$/,
  );
  wantRoom(model.checkpoint, { ...wanted, memory: "lean", precision: "fp32" }, 1e5);
  const unet = parameters(model.checkpoint.unet.weights.refs);
  const weightsIn = (precision: Precision) => leastMemory(model.checkpoint, { ...wanted, precision }).weights;
  const saved = (["fp32", "fp16", "bf16", "int8", "int4"] as const).map((precision) =>
    (weightsIn("fp32") - weightsIn(precision)) / unet
  );
  equal(saved, [0, 2, 2, 3, 3.5]);
  ok(totalMemory() > 1e9, "this machine's memory");
});
