/** Layers in 8-bit integers: where all numbers are whole and few enough, they give what float32 gives, to the bit. */

import { Graph, type Lowering, type Scope, type Value, type Window } from "fewstep/graph/builder.ts";
import { channelsLast, int8 } from "fewstep/graph/int8.ts";
import { cpu } from "fewstep/graph/lowering.ts";
import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import { sizeOf, Tensor } from "fewstep/tensor/tensor.ts";
import { quantizeRows } from "fewstep/weights/quantize.ts";
import { openSafetensors, writeSafetensors } from "fewstep/weights/safetensors.ts";
import { sourcesOf, Weights } from "fewstep/weights/weights.ts";
import { join } from "node:path";
import { equal } from "../assert.ts";
import { inFolder } from "../files.ts";
import { save } from "../layouts.ts";

const runtime = onnxRuntimeCpu({ threads: 1 });
const OUT = 6;

/** Whole numbers in a range, its ends among them: as 8-bit codes their scale is 1 where the range has 256 numbers. */
function whole(shape: readonly number[], least: number, most: number): Tensor {
  let state = 1;
  const values = Float32Array.from({ length: sizeOf(shape) }, () => {
    state = (state * 48271) % 2147483647;
    return least + state % (most - least + 1);
  });
  [values[0], values[1]] = [least, most];
  return new Tensor(values, shape);
}

/** Every row's largest weight is 127: its scale is 1. */
function wholeWeight(shape: readonly number[]): Tensor {
  const inner = sizeOf(shape) / shape[0];
  return whole(shape, -126, 126).map((value, i) => i % inner === Math.floor(i / inner) % inner ? 127 : value);
}

/** That a layer gives the same in 8 bits. */
async function wantSame(
  weight: Tensor,
  x: Tensor,
  layer: (lowering: Lowering, g: Scope, x: Value) => Value,
): Promise<void> {
  await inFolder(async (folder) => {
    const [floats, integers] = ["floats", "integers"].map((name) => join(folder, `${name}.safetensors`));
    await writeSafetensors(
      floats,
      new Map([["layer.weight", weight], ["layer.bias", whole([OUT], -9, 9)]]),
    );
    const rows = weight.shape.length === 4 ? channelsLast(weight) : weight;
    const { codes, scales } = quantizeRows(rows, 127, "layer.weight");
    equal([...new Set(scales)], [1]);
    await save(
      integers,
      new Map([
        ["codes", { dtype: "I8", shape: rows.shape.toReversed(), bytes: new Uint8Array(codes.buffer) }],
        ["scales", { dtype: "F32", shape: [OUT], bytes: new Uint8Array(scales.buffer) }],
      ]),
    );
    const [weights, quantized] = await Promise.all(
      [floats, integers].map(async (path) =>
        new Weights("layer", sourcesOf([await openSafetensors(await Deno.realPath(path))]))
      ),
    );
    const found = { codes: quantized.get("codes", rows.shape.toReversed()), scales: quantized.get("scales", [OUT]) };
    const channels = x.shape[x.shape.length === 4 ? 1 : 2];
    const outputs: Tensor[] = [];
    for (const lowering of [cpu, int8(cpu, new Map([["layer.weight", found]]))]) {
      const graph = new Graph({ name: "layer", weights, lowering });
      const input = graph.input("x", "float32", x.shape, channels);
      graph.output("y", layer(lowering, graph.at("layer"), input), x.shape.map((_, i) => `axis ${i}`));
      const session = await runtime.load(graph.finish());
      outputs.push(...(await session.run({ x })).values());
      await session.release();
    }
    const [float, integer] = outputs;
    equal(integer.shape, float.shape);
    equal(integer.data, float.data);
  });
}

const windows: Readonly<Record<string, Window>> = {
  "3×3": { kernel: 3, stride: 1, pads: [1, 1, 1, 1] },
  "3×3 at every second place": { kernel: 3, stride: 2, pads: [1, 1, 1, 1] },
  "3×3 at every second place, padded below and right alone": { kernel: 3, stride: 2, pads: [0, 0, 1, 1] },
  "1×1": { kernel: 1, stride: 1, pads: [0, 0, 0, 0] },
  "1×1 at every second place": { kernel: 1, stride: 2, pads: [0, 0, 0, 0] },
};

for (const [name, window] of Object.entries(windows)) {
  Deno.test(`a convolution in 8 bits, ${name}, is float32's where nothing is rounded`, async () => {
    const weight = wholeWeight([OUT, 5, window.kernel, window.kernel]);
    // From 0 up, and around 0: what is padded is 0, whatever code that has.
    for (const [least, most] of [[0, 255], [-100, 155]]) {
      for (const shape of [[2, 5, 7, 4], [1, 5, 8, 8]]) {
        await wantSame(weight, whole(shape, least, most), (lowering, g, x) => {
          return lowering.convolution(g, x, g.find("weight", weight.shape), OUT, g.find("bias", [OUT]), window);
        });
      }
    }
  });
}

Deno.test("a linear layer in 8 bits is float32's where nothing is rounded", async () => {
  const weight = wholeWeight([OUT, 5]);
  await wantSame(weight, whole([2, 9, 5], -100, 155), (lowering, g, x) => {
    return lowering.matmul(g, x, g.find("weight", weight.shape), OUT, g.find("bias", [OUT]));
  });
});

Deno.test("a convolution's weight is laid out place by place of its window, of each all channels", () => {
  const weight = Tensor.of(Array.from({ length: 2 * 3 * 4 }, (_, i) => i), [2, 3, 2, 2]);
  equal(channelsLast(weight).shape, [2, 12]);
  equal([...channelsLast(weight).data.subarray(0, 12)], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
});
