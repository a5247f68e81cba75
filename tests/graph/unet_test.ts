import { join } from "node:path";
import { sizeOf } from "fewstep/tensor/tensor.ts";
import { equal } from "../assert.ts";
import { inFolder } from "../files.ts";
import { SDXL_CONFIGS, tensorsOf } from "../synthetic.ts";

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
