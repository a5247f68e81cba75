import { equal, match, ok, throws } from "node:assert/strict";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { tokenMap } from "../../lib/view/attention.ts";
import { attention } from "../../lib/view/attention_figure.ts";
import { features } from "../../lib/view/features.ts";
import { ember, heat, resize } from "../../lib/view/heat.ts";
import { latentDifference } from "../../lib/view/latent_difference.ts";
import { principalComponents } from "../../lib/view/principal.ts";
import { selfAttention } from "../../lib/view/self_attention.ts";
import { observed, PaintingDecoder, sampleSteps, waves } from "./samples.ts";
import { matchSnapshot } from "./snapshot.ts";

const [noise, first] = sampleSteps(1, observed());

Deno.test("attention over x0: a row a word, its tokens added up, the most of it said in words", async () => {
  const figure = attention([first], { decode: new PaintingDecoder() });
  await matchSnapshot("attention", await figure.png());
  match(await figure.alt(), /attention to red, apple over x0 at 1 steps; at most, by word: red 30 %, apple 2\d %/);
});

Deno.test("words that are not drawn by default can be asked for, and a scale for all of them", async () => {
  const figure = attention([first], { words: ["<start>", "Apple", "<end>"], scale: "figure", cell: 96 });
  match(await figure.alt(), /attention to <start>, apple, <end> .* <end> 0\.00 %/);
  const { texts } = await figure.drawing();
  ok(texts.some(({ text }) => /^\d\d %$/.test(text)), "the legend ends in a number");
  throws(
    () => attention([first], { words: ["pear"] }),
    /"pear": it is no word of the prompt\. It has <start>, red, apple/,
  );
  throws(() => attention([noise]), /Cannot look inside step 0: nothing was observed/);
  throws(() => tokenMap(first, [1], { layers: ["conv_in"] }), /wanted conv_in/);
  throws(() => tokenMap(first, [1], { half: "unconditional" }), /the step was not guided/);
});

Deno.test("a word's map is the sum over its tokens, brought to the latent's size", () => {
  const { width, height, values } = tokenMap(first, [2, 3]);
  equal(width * height, 64);
  const [one, other] = [tokenMap(first, [2]), tokenMap(first, [3])];
  values.forEach((value, place) => ok(Math.abs(value - one.values[place] - other.values[place]) < 1e-6));
  const whole = tokenMap(first, Array.from({ length: 77 }, (_, position) => position));
  whole.values.forEach((value) => ok(Math.abs(value - 1) < 1e-5, "all tokens together get all of the attention"));
});

Deno.test("self-attention by its leading components: two halves that attend to themselves get two colours", async () => {
  const figure = selfAttention([first]);
  await matchSnapshot("self-attention", await figure.png());
  match(await figure.alt(), /red, green and blue explain 100 %, 0 %, 0 % of what differs/);
  throws(
    () => selfAttention([first], { layers: ["mid_block"] }),
    /Cannot draw the self-attention of mid_block: observed/,
  );
});

Deno.test("features as tiles, those that vary the most first; outliers are marked, and no number hides", async () => {
  const step = sampleSteps(1, observed())[1];
  step.observed?.features.get("mid_block")?.values.data.set([NaN, 900], 130);
  const figure = features(step);
  await matchSnapshot("features", await figure.png());
  match(await figure.alt(), /mid_block, step 1 of 4, σ 14\.6: heat maps of channels 2, 1, 0/);
  const { texts } = await figure.drawing();
  ok(texts.some(({ text }) => text === "1 value lies beyond the scale: drawn in green."));
  ok(texts.some(({ text }) => text.startsWith("1 picture holds NaN")));
  throws(() => features(first, { layer: "conv_in" }), /Cannot draw the features of conv_in: observed were mid_block/);
  throws(() => features(first, { channels: [3] }), /Cannot draw channel 3 of mid_block: it has 0 to 2/);
});

Deno.test("differences from one latent share a scale, and say how large the whole is", async () => {
  const latent = waves();
  const figure = latentDifference([latent.times(1.5), latent.plus(waves().map((_, i) => i % 64 === 9 ? 3 : 0))], {
    against: latent,
    titles: ["b", "half more", "one place"],
    limit: 1,
  });
  await matchSnapshot("latent-difference", await figure.png());
  match(await figure.alt(), /differences from b; half more: ‖a − b‖ \/ ‖b‖ = 0\.50; one place:/);
  ok((await figure.drawing()).texts.some(({ text }) => text === "1 value lies beyond the scale: drawn in green."));
  throws(
    () => latentDifference([Tensor.zeros([1, 4, 4, 4])], { against: latent }),
    /Cannot compare \[1, 4, 4, 4\] with/,
  );
  throws(() => latentDifference([], { against: latent }), /at least one item/);
});

Deno.test("a heat map's ends are its range's; values beyond, NaN and infinity get colours that no scale has", () => {
  const values = Float32Array.of(0, 1, 1.01, -0.01, NaN, Infinity);
  const { raster, beyond } = heat({ width: 6, height: 1, values }, { colors: ember, range: [0, 1] });
  equal(beyond, 2);
  equal(raster.notFinite, 2);
  equal(raster.data.slice(0, 6).join(), "0,0,4,252,255,164");
  equal(raster.data.slice(6, 12).join(), "0,255,0,0,255,0");
  equal(raster.data.slice(12).join(), "255,0,255,48,0,48");
});

Deno.test("a plane keeps its values at its own size, and its mean when it is doubled", () => {
  const plane = { width: 3, height: 2, values: Float32Array.of(1, 2, 3, 4, 5, 6) };
  equal(resize(plane, 3, 2).values.join(), "1,2,3,4,5,6");
  equal(resize({ width: 2, height: 1, values: Float32Array.of(0, 1) }, 4, 1).values.join(), "0,0.25,0.75,1"); // torch's
});

Deno.test("principal components: directions, shares and signs of points on a tilted cross", () => {
  const points = [[4, 4, 0], [-4, -4, 0], [1, -1, 0], [-1, 1, 0]].flat();
  const { scores, explained } = principalComponents(Float32Array.from(points), 3, 3);
  equal(explained.map((share) => share.toFixed(4)).join(), "0.9412,0.0588,0.0000");
  equal(
    scores[0].map((value) => Number(value.toFixed(4))).join(),
    "5.6569,-5.6569,0,0".replaceAll("5.6569", String(Math.fround(5.6569))),
  );
});
