import { compare, type ComparisonOptions, open, openRecord, type Runs } from "fewstep";
import { stop } from "fewstep/model/stop.ts";
import { COLUMNS } from "fewstep/sweep/cell.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { CLIP, TINY, tiny } from "./tiny.ts";

/** Runs a comparison, and tells which cells it ran. */
async function told(options: ComparisonOptions): Promise<{ runs: Runs; ran: string[] }> {
  const ran = new Set<string>();
  const runs = await compare({
    warn: () => {},
    ...options,
    onProgress: ({ cell, step }) => {
      if (cell && step === 0) ran.add(`${cell.labels.model} ${cell.labels.promptName} ${cell.labels.seed}`);
    },
  });
  return { runs, ran: [...ran] };
}

Deno.test("a comparison gives the model's own bits, and runs only what is new", () =>
  inFolder(async (store) => {
    const { runs, ran } = await told(tiny(store));
    equal(ran, ["plain gold fish 1", "plain white 1", "lightning gold fish 1", "lightning white 1"]);
    await using model = await open(TINY);
    const request = { prompt: "snow", seed: 1, recipe: "lightning-2step", size: { width: 32, height: 32 } };
    const { step, image } = await model.generate(request);
    const last = runs.cells[3];
    equal((await runs.latent(last)).data, step.latent.data);
    const worst = (await runs.picture(last)).minus(image).data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    ok(worst <= 0.5 / 255 + 1e-6, `the picture is off by ${worst}`);

    equal(runs.cells.map(({ warm }) => warm), [false, true, true, true], "one model, loaded once");
    equal(runs.cells.map(({ secondsText }) => secondsText !== null), [true, true, false, false]);
    for (const { secondsUnet, secondsVae, secondsTotal, memoryPeak, memoryResident } of runs.cells) {
      ok(secondsUnet > 0 && secondsVae > 0 && secondsTotal > secondsUnet + secondsVae, "parts and whole");
      ok(memoryPeak >= memoryResident, "the peak is the most");
    }

    const again = await told(tiny(store));
    equal(again.ran, []);
    equal(again.runs.cells, runs.cells);
    const more = await told({ ...tiny(store), seeds: [2, 1], prompts: ["snow"] });
    equal(more.ran, ["plain snow 2", "lightning snow 2"]);
    equal(more.runs.cells[1].latentDigest, runs.cells[1].latentDigest);
  }));

Deno.test("a comparison that is stopped goes on where it was", () =>
  inFolder(async (store) => {
    const stop = new AbortController();
    const stopped = compare({
      ...tiny(store),
      signal: stop.signal,
      onProgress: ({ done, step }) => {
        if (done === 2 && step === 1) stop.abort(new Error("Enough."));
      },
    });
    await throwsSentence(() => stopped, "Enough.");
    equal((await told(tiny(store))).ran, ["lightning gold fish 1", "lightning white 1"]);
  }));

Deno.test("a notebook's Stop ends a comparison that was given no signal", () =>
  inFolder(async (store) => {
    let heard = false;
    const stopped = compare({
      ...tiny(store),
      onProgress: ({ done, step }) => {
        if (done === 1 && step === 1) heard = stop();
      },
    });
    await throwsSentence(() => stopped, /^Stopped between two steps/);
    ok(heard, "there was something to stop");
    equal((await told(tiny(store))).ran, ["plain white 1", "lightning gold fish 1", "lightning white 1"]);
  }));

Deno.test("quality stands in the cells, the summary and the frame; what was not asked for has no column", () =>
  inFolder(async (store) => {
    const plain = await (await compare(tiny(store))).frame();
    const runs = await compare({
      ...tiny(store),
      seeds: [1, 2],
      quality: { clip: CLIP, reference: "plain", captions: ["sea"] },
    });
    const frame = await runs.frame();
    equal(frame.columns, Object.keys(COLUMNS));
    equal(plain.columns.includes("promptScore"), false);
    equal(frame.height, 8);
    equal(frame.getColumn("seed").toArray(), ["1", "2", "1", "2", "1", "2", "1", "2"]);
    equal(frame.getColumn("warm").toArray().slice(0, 2), [false, false], "each was the first of a fresh load");
    equal(frame.getColumn("psnr").nullCount(), 4);
    equal(frame.getColumn("record").nullCount(), 8);
    const [teacher, student] = runs.summary;
    equal([teacher.cells, teacher.quality.latentDistance, teacher.frechet], [4, undefined, undefined]);
    equal(student.quality.ssim?.count, 4);
    ok((student.frechet?.value ?? 0) > 0 && (student.diversity?.value ?? 0) > 0, "measured on the set");
    ok(teacher.diversity?.error !== null, "two prompts give an error");
    for (const { latentDistance, psnr, ssim, perceptual } of runs.cells.slice(4)) {
      ok((latentDistance ?? 0) > 0 && (psnr ?? 0) > 0 && (ssim ?? 2) <= 1 && (perceptual ?? 0) > 0, "distances");
    }
    const remembered = await compare({
      ...tiny(store),
      seeds: [1, 2],
      quality: { clip: CLIP, reference: "plain", captions: ["sea"] },
    });
    equal(remembered.summary, runs.summary);
  }));

Deno.test("records are kept when asked for, also of cells that were run without", () =>
  inFolder(async (store) => {
    const options = { ...tiny(store), prompts: ["snow"] };
    const without = await compare(options);
    const { runs, ran } = await told({ ...options, measure: { records: "all", warmUp: "step" } });
    equal(ran.length, 2);
    equal(runs.cells[1].secondsTotal, without.cells[1].secondsTotal, "the first measurement stays");
    const record = await openRecord(runs.cells[1].record ?? "");
    equal(record.latents.at(2).data, (await runs.latent(runs.cells[1])).data);
    equal((await told({ ...options, measure: { records: "all" } })).ran, []);
  }));

Deno.test("with a warm-up every cell is warm", () =>
  inFolder(async (store) => {
    const runs = await compare({ ...tiny(store), measure: { warmUp: "step" } });
    equal(runs.cells.map(({ warm }) => warm), [true, true, true, true]);
    ok(runs.cells[0].secondsText !== null, "the first prompt's text is measured");
  }));

Deno.test("a model's own size wins over the comparison's; a part of the results carries what made it alone", () =>
  inFolder(async (store) => {
    const { models, ...options } = tiny(store);
    const [plain, lightning] = models;
    const runs = await compare({ ...options, models: [plain, { ...lightning, size: { width: 64, height: 32 } }] });
    equal(runs.cells.map(({ width, height }) => `${width}x${height}`), ["32x32", "32x32", "64x32", "64x32"]);
    equal((await runs.picture(runs.cells[3])).shape, [1, 3, 32, 64]);

    const part = runs.only(({ model }) => model === "lightning");
    equal(part.cells, runs.cells.slice(2));
    equal(part.summary, runs.summary.slice(1));
    const { models: told, runs: made } = await part.provenance();
    equal(told.map(({ name }) => name), ["lightning"]);
    equal(made.map(({ model, digest }) => [model, digest]), part.cells.map(({ latentDigest }) => [0, latentDigest]));
    const half = runs.only(({ promptName }) => promptName === "white");
    equal(half.summary.map(({ model, cells }) => [model, cells]), [["plain", 1], ["lightning", 1]]);
    await throwsSentence(() => runs.only(() => false), /no cell is of that kind/);
  }));
