import { diff, open, saveRecord, Tensor } from "fewstep";
import { writeSafetensors } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

Deno.test("a run of the kit and diffusers' are the same; another seed parts at the noise, another prompt at its embedding", () =>
  inFolder(async (folder) => {
    await using model = await open(goldenPath("tiny-sdxl"));
    const request = { prompt: "neon fish, snow", seed: 11, steps: 4, guidance: 4, size: { width: 64, height: 64 } };
    const save = async (name: string, changes: Partial<typeof request>) => {
      const { step, image } = await model.generate({ ...request, ...changes });
      await saveRecord(join(folder, name), { model, step, image });
      return join(folder, name);
    };
    const theirs = goldenPath("run-tiny-sdxl.safetensors");
    const same = await diff(await save("same.safetensors", {}), theirs);
    equal([same.same, same.first], [true, undefined]);
    ok(same.differences.length > 10, "little was compared");
    const seed = await diff(await save("seed.safetensors", { seed: 12 }), theirs);
    equal([seed.same, seed.first?.key], [false, "noise"]);
    ok((seed.cause ?? "").length > 20, `cause: ${seed.cause}`);
    equal((await diff(await save("prompt.safetensors", { prompt: "gold" }), theirs)).first?.key, "prompt_embeds");
  }));

Deno.test("a file that holds no run is told so", () =>
  inFolder(async (folder) => {
    const path = join(folder, "other.safetensors");
    await writeSafetensors(path, new Map([["weights", Tensor.of([1])]]));
    await throwsSentence(() => diff(path, path), /it holds no run; wanted are tensors named as in a record/);
  }));
