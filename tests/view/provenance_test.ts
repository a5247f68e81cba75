import { inFolder } from "../files.ts";
import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { hostname, userInfo } from "node:os";
import { resolve } from "node:path";
import { compare } from "../../lib/sweep/compare.ts";
import { costBars } from "../../lib/view/bars.ts";
import { costTable } from "../../lib/view/cost_table.ts";
import { open } from "../../lib/model/open.ts";
import { parseProvenance, portablePath, type Provenance, provenanceOf } from "../../lib/model/provenance.ts";
import { reproduceRuns } from "../../lib/model/reproduce.ts";
import { readProvenance } from "../../lib/view/carry.ts";
import { grid } from "../../lib/view/grid.ts";
import { parametersOf } from "../../lib/view/parameters.ts";
import { readPicture, savePicture } from "../../lib/view/picture.ts";
import { textsOf, withText } from "../../lib/view/png_text.ts";
import { Table } from "../../lib/view/table_export.ts";
import { disc } from "./samples.ts";

const prompt = 'a tiger face: "crown" & <neon>, 50 % 日本\nsecond line';
const provenance: Provenance = {
  version: 1,
  software: { fewstep: "0.1.0", deno: "2.9.6" },
  machine: "2 × processor, 24 GiB, linux x86_64",
  models: [{
    checkpoint: "models/pocket/base",
    unet: "models/pocket/student.safetensors",
    loras: [{ path: "loras/style.safetensors", strength: 0.5 }],
    loraMode: "branch",
    digests: { unet: { "student.safetensors": "ab".repeat(32) } },
  }],
  runs: [{
    model: 0,
    request: { prompt, negative: "blurry", seed: ["1", "18446744073709551615"], recipe: "lightning-4step" },
    sampler: "euler",
    spacing: "trailing",
    prediction: "epsilon",
    steps: 4,
    guidance: 0,
    size: { width: 128, height: 96 },
    digest: "cd".repeat(32),
    picture: 1,
  }],
};
const told = parseProvenance(JSON.stringify(provenance), "here");

Deno.test("every export carries what made it, and tells it again", () =>
  inFolder(async (folder) => {
    const figure = grid([[disc(0)]], { provenance });
    const table = new Table([{ a: 1 }], { columns: ["a"], provenance });
    const paths = [...await figure.saveAll(`${folder}/figure`), ...await table.saveAll(`${folder}/table`)];
    for (const ending of ["png", "webp"]) {
      await savePicture(disc(0), `${folder}/picture.${ending}`, { provenance });
      paths.push(`${folder}/picture.${ending}`);
    }
    for (const path of paths) deepEqual(await readProvenance(path), told, path);
    deepEqual((await readPicture(`${folder}/picture.png`)).data, (await readPicture(`${folder}/picture.webp`)).data);
    await grid([[disc(0)]]).save(`${folder}/bare.svg`);
    await rejects(readProvenance(`${folder}/bare.svg`), /Cannot tell what made .*bare\.svg: it carries nothing/);
    await rejects(readProvenance(`${folder}/none.png`), /none\.png: it does not exist/);
  }));

Deno.test("a PNG's texts come back, Latin-1 and beyond, and the picture is untouched", async () => {
  const png = await grid([[disc(0.5)]]).png();
  const texts = new Map([["a", "é ü plain"], ["b", "日本 σ"], ["empty", ""]]);
  const marked = withText(png, texts);
  deepEqual(textsOf(marked), texts);
  deepEqual((await readPicture(marked)).data, (await readPicture(png)).data);
  throws(() => textsOf(new Uint8Array([1, 2, 3])), /it is none/);
  throws(() => textsOf(png.slice(0, -20)), /ends within a chunk/);
});

Deno.test("a single picture's settings in the forms that other tools read", () => {
  const texts = parametersOf(provenance);
  const lines = texts.get("parameters")?.split("\n") ?? [];
  equal(lines.slice(0, 2).join("\n"), `${prompt} <lora:style:0.5>`);
  equal(lines[2], "Negative prompt: blurry");
  equal(
    lines[3],
    "Steps: 4, Sampler: Euler, Schedule type: SGM Uniform, CFG scale: 1, Seed: 18446744073709551615, Size: 128x96, " +
      "Model hash: ababababab, Model: student, RNG: CPU, Recipe: lightning-4step, Version: Fewstep 0.1.0",
  );
  const json = texts.get("prompt") ?? "";
  ok(json.includes('"seed":18446744073709551615,'), "all digits of the seed, as a number");
  const graph = JSON.parse(json);
  equal(graph["3"].inputs.scheduler, "sgm_uniform");
  equal(graph[graph["3"].inputs.positive[0]].inputs.text, prompt);
  const lora = graph[graph["3"].inputs.model[0]];
  deepEqual([lora.class_type, lora.inputs.strength_model, graph[lora.inputs.model[0]].class_type], [
    "LoraLoader",
    0.5,
    "UNETLoader",
  ]);
  for (const { inputs } of Object.values<{ inputs: Record<string, unknown> }>(graph)) {
    for (const input of Object.values(inputs)) if (Array.isArray(input)) ok(graph[input[0]], `node ${input[0]}`);
  }
  equal(parametersOf({ ...provenance, runs: [...provenance.runs, ...provenance.runs] }).size, 0);
});

Deno.test("paths outside of the working folder are told by their last name, addresses without their secrets", () => {
  equal(portablePath("models/pocket/base"), "models/pocket/base");
  equal(portablePath(resolve("models/pocket/base")), "models/pocket/base");
  equal(portablePath("/home/someone/models/x.safetensors"), "x.safetensors");
  equal(portablePath("../../someone/x.safetensors"), "x.safetensors");
  equal(portablePath("stabilityai/sdxl-turbo"), "stabilityai/sdxl-turbo");
  equal(portablePath("https://me:secret@example.org/a/b.safetensors?token=1"), "https://example.org/a/b.safetensors");
});

Deno.test("what carries no sense is refused in a sentence", () => {
  throws(
    () => parseProvenance("{", "x.png"),
    /^SyntaxError: Cannot read what made x\.png: it is not JSON\. Is the download complete\?$/,
  );
  throws(
    () => parseProvenance(JSON.stringify({ ...provenance, version: 2 }), "x.png"),
    /in its provenance "version" is 2, wanted is 1\. This kit reads version 1/,
  );
  const bad = { ...provenance, runs: [{ ...provenance.runs[0], model: -1 }] };
  throws(() => parseProvenance(JSON.stringify(bad), "x.png"), /"runs\.0\.model"/);
});

const pocket = { unet: "models/pocket/lightning_4step_unet.safetensors" };

Deno.test("a picture is made again to the bit; another model is not taken for the one that made it", () =>
  inFolder(async (folder) => {
    await Deno.copyFile(pocket.unet, `${folder}/student.safetensors`);
    await using model = await open("models/pocket/base", { unet: `${folder}/student.safetensors` });
    const { step } = await model.generate({ prompt: "sunflower", seed: [7, 8], recipe: "lightning-4step" });
    const made = await provenanceOf({ model, step, picture: 1 });
    const text = JSON.stringify(made);
    for (const secret of [folder, Deno.cwd(), hostname(), userInfo().username, userInfo().homedir]) {
      ok(!text.includes(JSON.stringify(secret).slice(1, -1)), `it tells ${secret}`);
    }
    equal(made.models[0].unet, "student.safetensors");
    await rejects(
      reproduceRuns(made),
      /Cannot make this again: .*student\.safetensors.*reproduce FILE --models FOLDER/,
    );
    const figure = grid([[disc(0)]], { provenance: made });
    const [again] = await figure.reproduce({ folder });
    ok(again.same && again.digest === made.runs[0].digest);
    deepEqual(again.image.shape, [2, 3, 128, 128]);

    const other = { ...made, models: [{ ...made.models[0], unet: undefined }] };
    await rejects(reproduceRuns(other), /the unet of models\/pocket\/base is another than the one that made it/);
    const changed = { ...made, runs: [{ ...made.runs[0], digest: "00".repeat(32) }] };
    const [different] = await reproduceRuns(changed, { folder });
    equal(different.same, false);
  }));

Deno.test("runs that no request tells in full are refused, and nothing is run", async () => {
  const [run] = provenance.runs;
  const of = (changes: Partial<typeof run>) => ({ ...provenance, runs: [{ ...run, ...changes }] });
  await rejects(reproduceRuns(of({ branched: true })), /it branched or was stopped/);
  await rejects(reproduceRuns(of({ request: { ...run.request, image: true } })), /it began from a picture/);
  await rejects(reproduceRuns(of({ model: 3 })), /it names model 3 of 1/);
  await rejects(reproduceRuns({ ...provenance, runs: [] }), /no run of a model made it/);
  await rejects(grid([[disc(0)]]).reproduce(), /Cannot make this figure again: nobody said/);
});

Deno.test("a figure and a table of a comparison carry its plan, and are made again through it", () =>
  inFolder(async (folder) => {
    const runs = await compare({
      models: [{ name: "student", model: "models/pocket/base", ...pocket, recipe: "lightning-4step" }],
      prompts: [{ prompt: "sunflower, meadow", name: "flower" }],
      seeds: [7, "18446744073709551615"],
      store: `${folder}/runs`,
    });
    const figure = grid(runs, { columns: ["model", "seed"] });
    await figure.save(`${folder}/figure.pdf`);
    await costTable(runs).save(`${folder}/costs.csv`);
    await costBars(runs, { of: "seconds" }).save(`${folder}/seconds.svg`);
    const told = await readProvenance(`${folder}/figure.pdf`);
    deepEqual(await readProvenance(`${folder}/seconds.svg`), told);
    deepEqual(await readProvenance(`${folder}/costs.csv`), told);
    ok(!JSON.stringify(told).includes(folder));
    deepEqual(told.runs.map(({ request }) => request.seed), [["7"], ["18446744073709551615"]]);
    equal(told.models[0].name, "student");
    const again = await reproduceRuns(told);
    deepEqual(again.map(({ same }) => same), [true, true]);
    deepEqual(again.map(({ digest }) => digest), runs.cells.map(({ latentDigest }) => latentDigest));
  }));
