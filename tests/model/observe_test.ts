/** What the network attends to, against diffusers' own probabilities. Golden: tests/goldens/attention.py. */

import { fromBinary } from "@bufbuild/protobuf";
import { open, type Request } from "fewstep";
import { cpu } from "fewstep/graph/lowering.ts";
import { ModelProtoSchema } from "fewstep/graph/onnx/onnx_pb.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { openCheckpoint } from "fewstep/weights/open.ts";
import { close, closeEach, equal, ok, throwsSentence } from "../assert.ts";
import { readGolden } from "../goldens/read.ts";

const POCKET = new URL("../../models/pocket/base", import.meta.url).pathname;
const HEADS = "down_blocks.1.attentions.0.transformer_blocks.0";
const WIDE = "up_blocks.1.attentions.0.transformer_blocks.0.attn2";
const REQUEST: Request = {
  prompt: "red apple, wooden table",
  seed: 5,
  steps: 2,
  guidance: 4,
  size: { width: 128, height: 96 },
};

Deno.test("attention of each head is diffusers', both halves of the guidance; it sums to 1 over the tokens", async () => {
  const golden = readGolden("attention.safetensors");
  await using model = await open(POCKET);
  const observe = model.observe([`${HEADS}.*`], { heads: "each" });
  equal(observe.layers, [`${HEADS}.attn1`, `${HEADS}.attn2`]);
  const { observed } = await model.next(await model.begin(REQUEST), { observe });
  for (const layer of observe.layers) {
    const map = observed?.attention.get(layer);
    if (map?.unconditional === undefined) throw new Error(`${layer} was not observed in both halves`);
    const [unconditional, prompt] = [golden.get(layer).at(0), golden.get(layer).at(1)];
    closeEach(map.probabilities.data, prompt.data, 1e-4, `${layer}, the prompt's`);
    closeEach(map.unconditional.data, unconditional.data, 1e-4, `${layer}, the negative's`);
    close(map.probabilities.data, prompt.data, 1e-4, layer);
    const keys = layer.endsWith("attn2") ? 77 : 6 * 8;
    equal(map.probabilities.shape, [1, 2, 6, 8, keys]); // two heads; a latent of 12×16, a level down
    equal(map.of, layer.endsWith("attn2") ? "text" : "self");
    for (let place = 0; place < map.probabilities.data.length; place += keys) {
      const sum = map.probabilities.data.subarray(place, place + keys).reduce((a, b) => a + b, 0);
      ok(Math.abs(sum - 1) < 1e-5, `${layer}: ${sum} at ${place}`);
    }
  }
});

Deno.test("the mean over heads and the feature maps are diffusers'; a guided step's halves are apart", async () => {
  const golden = readGolden("attention.safetensors");
  await using model = await open(POCKET);
  const observe = model.observe([WIDE, "down_blocks.1", "mid_block.attentions.0"]);
  const { observed } = await model.next(await model.begin(REQUEST), { observe });
  close(observed?.attention.get(WIDE)?.probabilities.data ?? [], golden.get(WIDE).at(1).data, 1e-4, WIDE);
  for (const layer of ["down_blocks.1", "mid_block.attentions.0"]) {
    const map = observed?.features.get(layer);
    close(map?.values.data ?? [], golden.get(layer).at(1).data, 1e-4, layer);
    close(map?.unconditional?.data ?? [], golden.get(layer).at(0).data, 1e-4, `${layer}, the negative's`);
  }
});

Deno.test("words of the prompt know where their tokens stand", async () => {
  await using model = await open(POCKET);
  const prompt = "Red apple, iridescent";
  const step = await model.next(await model.begin({ ...REQUEST, prompt, guidance: 0 }), {
    observe: model.observe(["*.attn2"]),
  });
  const words = step.observed?.words ?? [];
  equal(words.map(({ text }) => text), ["red", "apple", ",", "iridescent"]);
  equal(words.flatMap(({ positions }) => positions), [1, 2, 3, ...words[3].positions]);
  equal(words[3].positions[0], 4);
  equal(step.observed?.attention.get(WIDE)?.unconditional, undefined);
});

Deno.test("looking changes nothing of the picture, and a step may look where the one before did not", async () => {
  await using model = await open(POCKET);
  const noise = await model.begin(REQUEST);
  const [plain, seen] = [await model.next(noise), await model.next(noise, { observe: model.observe(["*"]) })];
  close(seen.latent.data, plain.latent.data, 1e-6, "latent");
  equal(plain.observed, undefined);
  equal(
    (seen.observed?.attention.size ?? 0) + (seen.observed?.features.size ?? 0),
    model.observable.length,
  );
  equal((await model.next(noise)).latent.data, plain.latent.data);
});

Deno.test("asking for nothing leaves the graph as it is, byte for byte; asking only adds to it", async () => {
  const { unet: { architecture, weights } } = await openCheckpoint(POCKET);
  const plain = buildUnet(architecture, weights, { lowering: cpu });
  const none = buildUnet(architecture, weights, { lowering: cpu, observe: { layers: [], heads: "mean" } });
  equal(none.bytes, plain.bytes);
  equal(plain.outputs.map(({ name }) => name), ["out_sample"]);
  const observed = buildUnet(architecture, weights, {
    lowering: cpu,
    observe: { layers: [WIDE, "mid_block"], heads: "mean" },
  });
  equal(observed.outputs.map(({ name }) => name), ["observed/mid_block", `observed/${WIDE}`, "out_sample"]);
  const nodes = (bytes: Uint8Array) => (fromBinary(ModelProtoSchema, bytes).graph?.node ?? []).map(({ name }) => name);
  const added = new Set(nodes(observed.bytes)).difference(new Set(nodes(plain.bytes)));
  const foreign = [...added].filter((name) => !name.startsWith("observed/") && !name.startsWith(`${WIDE}/`));
  equal(foreign, []);
  equal(nodes(observed.bytes).filter((name) => !added.has(name)), nodes(plain.bytes));
});

Deno.test("a layer that the network does not have is refused with names that it has", async () => {
  await using model = await open(POCKET);
  await throwsSentence(
    () => model.observe(["down_blocks.7"]),
    /Cannot observe "down_blocks\.7": no layer of this U-Net has that name\. It has \d+, among them .*attn1 and conv_in/,
  );
});
