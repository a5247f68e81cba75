import { readTraining, trainingPlot } from "fewstep";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";

const record = (entries: readonly object[]) => JSON.stringify({ stage: "lightning-4step", seconds: 812.5, entries });

Deno.test("a training's records are read by name, a stage's summary and a log of lines alike", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/b.json`,
      record([{ step: 50, phase: "mse", mse: 0.03 }, { step: 100, heads: 1 }]),
    );
    await Deno.writeTextFile(
      `${folder}/a.jsonl`,
      '{"time": 1, "step": 250, "mse": 0.5, "factor": 1, "per_second": 60, "seconds": 4}\n\n' +
        '{"time": 2, "step": 500, "mse": 0.25, "seconds": 6.5}\n',
    );
    await Deno.writeTextFile(`${folder}/README.md`, "no record");
    equal(await readTraining(folder), [
      {
        stage: "a",
        seconds: 10.5,
        entries: [{ step: 250, values: { mse: 0.5, factor: 1 } }, { step: 500, values: { mse: 0.25 } }],
      },
      {
        stage: "lightning-4step",
        seconds: 812.5,
        entries: [{ step: 50, phase: "mse", values: { mse: 0.03 } }, { step: 100, values: { heads: 1 } }],
      },
    ]);
    equal(await readTraining(`${folder}/none`), []);
  }));

Deno.test("what is no record is refused in a sentence", () =>
  inFolder(async (folder) => {
    const path = `${folder}/x.json`;
    for (
      const [text, pattern] of [
        ["{", /x\.json as a training's record: it is not JSON\.$/],
        ['{"stage": "x", "seconds": 1}', /"entries" is missing\.$/],
        [record([{ step: "one" }]), /"entries\.0\.step" is "one", wanted is number\.$/],
        [record([{ step: 1, mse: [1] }]), /"entries\.0\.mse" is Array/],
      ] as const
    ) {
      await Deno.writeTextFile(path, text);
      await throwsSentence(() => readTraining(folder), pattern);
    }
  }));

Deno.test("a plot of a recorded value leaves out stages without it, and says so where none has it", async () => {
  const stages = [
    { stage: "base", seconds: 1, entries: [{ step: 1, values: { mse: 1 } }, { step: 2, values: { mse: 0.5 } }] },
    { stage: "vae", seconds: 1, entries: [{ step: 1, values: { kl: 3 } }] },
  ];
  equal(await trainingPlot(stages).alt(), "mse over training: base from 1 to 0.5.");
  ok((await trainingPlot(stages, { of: "kl", scale: "linear" }).svg()).includes("vae"), "named at its line");
  await throwsSentence(() => trainingPlot(stages, { of: "heads" }), /no stage recorded it\. Recorded: mse, kl\.$/);
  await throwsSentence(() => trainingPlot([]), "Cannot plot a training: nothing was recorded.");
});
