/** NaN, infinity and what lies beyond a scale are marked in every view that draws numbers; others: figures_test.ts. */

import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { attention } from "../../lib/view/attention_figure.ts";
import { channels } from "../../lib/view/channels.ts";
import { contactSheet } from "../../lib/view/contact_sheet.ts";
import { differences } from "../../lib/view/difference.ts";
import { explorer } from "../../lib/view/explorer.ts";
import type { Figure } from "../../lib/view/figure.ts";
import { grid } from "../../lib/view/grid.ts";
import { latentDifference } from "../../lib/view/latent_difference.ts";
import { spectra } from "../../lib/view/latent_plots.ts";
import { selfAttention } from "../../lib/view/self_attention.ts";
import { stepFigure } from "../../lib/view/step.ts";
import { strip } from "../../lib/view/strip.ts";
import { trajectory } from "../../lib/view/trajectory.ts";
import { disc, observed, PaintingDecoder, sampleRun, sampleSteps, waves } from "./samples.ts";

function broken(tensor: Tensor, value = NaN): Tensor {
  const copy = tensor.map((value) => value);
  copy.data[5] = value;
  return copy;
}

/** Notes as one text: they are wrapped to the figure's width. */
const inWords = (texts: readonly { readonly text: string }[]) => texts.map(({ text }) => text).join(" ");

async function marks(figure: Figure, what: string): Promise<void> {
  const { pictures, texts } = await figure.drawing();
  ok(pictures.some(({ raster }) => raster.notFinite > 0), `${what}: drawn as a mark`);
  match(inWords(texts), /pictures? holds? NaN or infinite values/, `${what}: told in words`);
}

Deno.test("pictures and latents that hold NaN or infinity are marked, and told of, in every view", async () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const [picture, latent] = [broken(disc(0.2), value), broken(waves(), value)];
    await marks(strip([picture]), "strip");
    await marks(contactSheet([latent]), "contact sheet");
    await marks(grid([[picture, disc(0)]]), "grid");
    await marks(channels(latent), "channels");
    await marks(latentDifference([latent], { against: waves() }), "latent difference");
    await marks(differences([[disc(0), picture]]), "differences");
  }
});

Deno.test("steps that hold NaN are marked, told of or refused", async () => {
  const step = sampleRun(1);
  step.latent.data[3] = NaN;
  await marks(stepFigure(step), "step");
  match(await explorer([{ name: "broken", step }]).html(), /1 pixels are NaN or infinite: a magenta checker/);
  step.denoised.data[3] = NaN;
  throws(() => spectra([step]), /Cannot take the spectrum: channel 0 holds NaN or infinite values/);
  const { texts } = await trajectory({ broken: step, fine: sampleRun(0) }).drawing();
  match(inWords(texts), /4 steps hold NaN or infinity/, "what the whole way is held against is NaN");
});

Deno.test("attention that holds NaN is marked where it is, and the rest is drawn", async () => {
  const seen = observed();
  for (const { probabilities } of seen.attention.values()) probabilities.data[0] = NaN;
  const step = sampleSteps(1, seen)[1];
  await marks(attention([step], { words: ["<start>"], decode: new PaintingDecoder() }), "attention");
  const figure = selfAttention([step]);
  await marks(figure, "self-attention");
  equal((await figure.drawing()).pictures[0].raster.notFinite, 1);
});

Deno.test("what lies beyond a scale is drawn in green and counted; colours beyond a screen's are told of", async () => {
  const [black, white] = [disc(0).times(0), disc(0).map(() => 1)];
  const { pictures, texts } = await differences([[black, white]], { limit: 0.5 }).drawing();
  deepEqual([...pictures[1].raster.data.slice(0, 3)], [0, 255, 0]);
  match(inWords(texts), /4096 values lie beyond the scale: drawn in green\./);
  const strong = await strip([waves().times(20)], { cell: 300 }).drawing();
  match(inWords(strong.texts), /Up to \d+ % of a picture's pixels are too strong for it: clipped/);
});
