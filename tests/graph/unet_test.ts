import { fromBinary } from "@bufbuild/protobuf";
import { join } from "node:path";
import { cpu, cpuLean } from "fewstep/graph/lowering.ts";
import { ModelProtoSchema } from "fewstep/graph/onnx/onnx_pb.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { type Shape, sizeOf } from "fewstep/tensor/tensor.ts";
import type { WeightRef } from "fewstep/weights/weights.ts";
import { readUnetConfig } from "fewstep/weights/config.ts";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { Asked, SDXL_CONFIGS, tensorsOf } from "../synthetic.ts";

/** Each tensor at a place of its own, as in a file. */
class Placed extends Asked {
  #end = 0;

  override get(key: string, shape: Shape): WeightRef {
    const ref = super.get(key, shape);
    this.#end += ref.byteLength;
    return { ...ref, offset: this.#end - ref.byteLength };
  }
}

/** Tensors and parameters that the graph of an SDXL-like U-Net asks for. */
async function count(changes: Record<string, unknown>): Promise<[number, number]> {
  let result: [number, number] = [0, 0];
  await inFolder(async (folder) => {
    const config = join(folder, "config.json");
    await Deno.writeTextFile(config, JSON.stringify({ ...SDXL_CONFIGS.unet, ...changes }));
    const shapes = await tensorsOf("unet", config);
    result = [shapes.size, [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0)];
  });
  return result;
}

Deno.test("SDXL's U-Net asks for the 1,680 tensors and 2,567,463,684 parameters of the published one", async () => {
  equal(await count({}), [1680, 2_567_463_684]);
});

Deno.test("a U-Net without attention in its middle, and with depths a layer, is built as its config says", async () => {
  const [withMiddle] = await count({ transformer_layers_per_block: [1, 2, 4] });
  const [without] = await count({ transformer_layers_per_block: [1, 2, 4], mid_block_type: "UNetMidBlock2D" });
  equal(withMiddle - without, 6 + 4 * 20 + 10); // norm, proj_in, proj_out; 20 a transformer block; 10 the second resnet
  const perLayer = await count({
    transformer_layers_per_block: [0, [2, 2], [10, 10]],
    reverse_transformer_layers_per_block: [[10, 10, 10], [2, 2, 2], 0],
  });
  equal(perLayer, await count({}));
});

Deno.test("lean: no matrix or kernel in half floats is widened before its layer's input is there", () =>
  inFolder(async (folder) => {
    const config = join(folder, "config.json");
    await Deno.writeTextFile(config, JSON.stringify(SDXL_CONFIGS.unet));
    const architecture = await readUnetConfig(config);
    const free = [cpu, cpuLean].map((lowering) => {
      const { graph } = fromBinary(ModelProtoSchema, buildUnet(architecture, new Placed("unet"), { lowering }).bytes);
      const weights = new Set(graph?.initializer.filter(({ dims }) => dims.length > 1).map(({ name }) => name));
      const casts = graph?.node.filter(({ opType }) => opType === "Cast") ?? [];
      ok(casts.length > 1000, "the weights are half floats, and each is widened");
      return casts.filter(({ input }) => weights.has(input[0])).length;
    });
    ok(free[0] > 800, `only ${free[0]} weights are folded where they may be`);
    equal(free[1], 0);
  }));
