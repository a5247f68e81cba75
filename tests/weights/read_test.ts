import { readWeight } from "fewstep/weights/read.ts";
import { openSafetensors, readTensor } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { equal, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { save } from "../layouts.ts";

Deno.test("a weight that lies transposed is read the way round that a network sees it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    const bytes = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
    await save(
      path,
      new Map([["a", { dtype: "F32", shape: [2, 3], bytes }], ["b", { dtype: "F32", shape: [6], bytes }]]),
    );
    const file = await openSafetensors(path);
    const [a, b] = ["a", "b"].map((name) => {
      const entry = file.tensors.get(name);
      if (entry === undefined) throw new Error(`no ${name}`);
      return { ...entry, key: name, file: path };
    });
    const lying = await readWeight({ ...a, transposed: true });
    equal([lying.shape, lying.data], [[3, 2], Float32Array.of(1, 4, 2, 5, 3, 6)]);
    equal((await readWeight(a)).data, (await readTensor(file, "a")).data);
    await throwsSentence(() => readWeight({ ...b, transposed: true }), /Cannot transpose .* wanted is a matrix/);
  }));
