import { equal, match, ok, rejects, throws } from "node:assert/strict";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { channels } from "../../lib/view/channels.ts";
import { Figure } from "../../lib/view/figure.ts";
import { grid } from "../../lib/view/grid.ts";
import { readPicture } from "../../lib/view/picture.ts";
import { stepFigure, stepLine } from "../../lib/view/step.ts";
import { strip } from "../../lib/view/strip.ts";
import { disc, PaintingDecoder, sampleSteps, waves } from "./samples.ts";
import { matchSnapshot } from "./snapshot.ts";

Deno.test("a strip of pictures with titles and captions", async () => {
  const figure = strip([disc(0), disc(0.5), disc(1)], {
    titles: ["blue", "a title that is too long for its picture", "red"],
    captions: ["σ 14.6 · t 999", "x₀ → x̂₀ ≤ 1", "Größe, œuvre, Ελλάς, Привет"],
    heading: "Three discs",
    cell: 120,
  });
  await matchSnapshot("strip", await figure.png());
  match(await figure.alt(), /Three discs/);
});

Deno.test("a strip of steps shows x0 and says where on the schedule it looked; noise has no x0", async () => {
  const decode = new PaintingDecoder();
  const figure = strip(sampleSteps(2), { decode, cell: 96 });
  await matchSnapshot("strip-steps", await figure.png());
  equal(decode.calls, 2);
  await figure.png();
  equal(decode.calls, 2, "a figure decodes once, however often it is drawn");
});

Deno.test("many pictures go on in a next row", async () => {
  const { pictures, width } = await strip(Array.from({ length: 30 }, () => disc(0.5, 8))).drawing();
  ok(width <= 1000);
  equal(new Set(pictures.map(({ y }) => y)).size, 3);
});

Deno.test("a latent without a decoder is coloured by a linear fit, with hard pixels", async () => {
  const { pictures } = await strip([waves()]).drawing();
  equal(pictures[0].raster.width, 8);
  equal(pictures[0].scaling, "hard");
});

Deno.test("a grid with labels, captions, an empty place and a note", async () => {
  const figure = grid([[disc(0), disc(0.3)], [disc(0.6)]], {
    rows: ["a long prompt that wants more than one line beside its pictures", "short"],
    columns: ["base · 50 steps", "lightning-4step"],
    captions: [["5.2 s", "0.4 s"], ["5.3 s"]],
    notes: ["Times on two cores."],
    cell: 96,
  });
  await matchSnapshot("grid", await figure.png());
  match(await figure.alt(), /2 × 2 pictures; rows: a long prompt.*; columns: base · 50 steps; lightning-4step/);
});

Deno.test("a step: x_t and x0, its place on the schedule, milliseconds and memory", async () => {
  const [noise, first] = sampleSteps();
  const figure = stepFigure(first, { decode: new PaintingDecoder() });
  await matchSnapshot("step", await figure.png());
  match(await figure.alt(), /step 1 of 4 · σ 14\.6 → 4\.08 · t 999.*Prompt: waves/);
  equal(
    stepLine(first),
    "step 1 of 4 · σ 14.6 → 4.08 · t 999 · 33 ms, the network 31 ms of it · memory 184 MB, at most 1.25 GB",
  );
  equal(stepLine(noise), "noise · σ 14.6");
  equal((await stepFigure(noise).drawing()).pictures.length, 1);
});

Deno.test("the channels of a latent share one scale", async () => {
  const figure = channels(waves(), { heading: "Waves" });
  await matchSnapshot("channels", await figure.png());
  match(await figure.alt(), /channel 0 mean −?0\.\d\d · sd 1\.0\d/);
});

Deno.test("NaN and infinity are marked, never drawn as if fine", async () => {
  const picture = disc(0.5);
  picture.data.fill(NaN, 1000, 2000);
  const latent = waves();
  latent.data[70] = -Infinity;
  const decode = new PaintingDecoder();
  const figure = strip([picture, latent], { decode, cell: 120 });
  await matchSnapshot("not-finite", await figure.png());
  equal(decode.calls, 0, "a VAE would smear one bad value over the whole picture");
  const { pictures, texts } = await figure.drawing();
  equal(pictures[0].raster.notFinite, 1000);
  equal(pictures[1].raster.notFinite, 1);
  ok(texts.some(({ text }) => text.startsWith("2 pictures hold NaN")));
});

Deno.test("words look the same on a machine without fonts or fontconfig", async () => {
  const folder = await Deno.makeTempDir();
  const script = `
    import { strip } from ${JSON.stringify(new URL("../../lib/view/strip.ts", import.meta.url).href)};
    import { disc } from ${JSON.stringify(new URL("./samples.ts", import.meta.url).href)};
    await strip([disc(0)], { titles: ["σ → x₀"] }).save(Deno.args[0]);
  `;
  await Deno.writeTextFile(`${folder}/fonts.conf`, "<fontconfig></fontconfig>");
  const draw = async (file: string, env: Record<string, string>) => {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", script, `${folder}/${file}`],
      cwd: new URL("../..", import.meta.url),
      env,
    }).output();
    ok(success, new TextDecoder().decode(stderr));
    return await Deno.readFile(`${folder}/${file}`);
  };
  const here = await draw("here.png", {});
  const bare = await draw("bare.png", { FONTCONFIG_FILE: `${folder}/fonts.conf`, XDG_DATA_HOME: folder });
  await Deno.remove(folder, { recursive: true });
  equal(here.toBase64(), bare.toBase64());
  ok((await readPicture(here)).slice(0, 1).data.slice(0, 384 * 60).some((value) => value < 0.2), "the title is drawn");
});

Deno.test("a figure is saved whole, by its ending, and other endings are refused before anything is drawn", async () => {
  const folder = await Deno.makeTempDir();
  const figure = strip([disc(0.2)]);
  await figure.save(`${folder}/new/strip.png`);
  await figure.save(`${folder}/strip.webp`, { density: 1 });
  const [png, webp] = [await readPicture(`${folder}/new/strip.png`), await readPicture(`${folder}/strip.webp`)];
  equal(png.shape[3], 2 * webp.shape[3]);
  const undrawn = new Figure(() => Promise.reject(new Error("drawn")));
  await rejects(undrawn.save(`${folder}/strip.gif`), /Cannot save .*strip\.gif: \.gif is not an ending/);
  await rejects(undrawn.save(`${folder}/strip`), /it has no ending/);
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  await Deno.remove(folder, { recursive: true });
  equal(left.join(), "new,strip.webp");
});

Deno.test("what cannot be drawn is refused in a sentence", async () => {
  throws(() => strip([]), /Cannot draw a strip of nothing/);
  throws(() => grid([]), /Cannot draw a grid of nothing/);
  throws(() => strip([disc(0)], { titles: ["a", "b"] }), /Cannot put 2 titles on 1 pictures/);
  throws(() => grid([[disc(0)]], { rows: [] }), /Cannot label 1 rows with 0 labels/);
  throws(() => channels(disc(0)), /Cannot show the channels of \[1, 3, 64, 64\]/);
  await rejects(strip([Tensor.zeros([2, 2])]).png(), /Cannot show a tensor \[2, 2\] as a picture/);
  await rejects(strip([disc(0)]).png({ density: 1000 }), /up to 100 megapixels/);
});
