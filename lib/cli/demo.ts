/**
 * `deno task demo`: notebook 07 in small. Three of the article's prompts by the pocket family's base and its students,
 * side by side, what the student sees at each step, and what it all cost; figures land in figures/.
 */

import type { Family } from "../sweep/family/article.ts";
import type { ComparedModel, ComparedPrompt } from "../sweep/options.ts";
import type { Runs } from "../sweep/runs.ts";
import { type Arguments, type Command, main, type Running } from "./args.ts";
import { seedsOf } from "./values.ts";

/** Of the article's six, those that the pocket models know best. */
const chosen = ["portrait", "animal", "text"];

export const demo: Command = {
  name: "demo",
  about: "Compares the pocket base model with its students on three prompts, and writes the figures.",
  options: {
    out: { value: "FOLDER", about: "where the figures go; default figures" },
    format: { value: "NAME", about: "png, webp, svg, pdf; default png" },
    prompt: { value: "TEXT", about: "in place of the three, as often as there are prompts", multiple: true },
    seeds: { value: "N[,N…]", about: "one row a seed, for prompts of your own; default 0" },
    steps: { value: "N", about: "steps of the base model; default 50" },
    store: { value: "FOLDER", about: "where pictures and numbers are kept; default runs" },
  },
  examples: ["deno task demo", 'deno task demo --prompt "an owl, snow forest" --seeds 3 --format pdf'],
  run,
};

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const folder = args.text("out") ?? "figures";
  const steps = args.number("steps", "a whole number from 1", { whole: true, least: 1 }) ?? 50;
  const format = args.oneOf("format", ["png", "webp", "svg", "pdf"]) ?? "png";
  const began = performance.now();
  const { pocketFamily } = await import("../sweep/family/pocket.ts");
  const { compare } = await import("../sweep/compare.ts");
  const models = columnsOf(await pocketFamily(), steps);
  const own = args.texts("prompt");
  console.log(
    `${
      own.length > 0 ? "Your prompts" : "Three of the article's prompts"
    } on the pocket models: the base in ${steps} ` +
      "guided steps, and its students.\n",
  );
  const runs = await compare({
    models,
    prompts: own.length > 0 ? own : await chosenPrompts(),
    seeds: args.has("seeds") ? seedsOf("seeds", args.text("seeds") ?? "") : undefined,
    measure: { warmUp: "step" },
    store: args.text("store"),
    signal,
  });

  const { grid } = await import("../view/grid.ts");
  const comparison = `${folder}/demo-comparison.${format}`;
  const seeded =
    runs.plan.prompts.length < new Set(runs.cells.map(({ promptIndex, seed }) => `${promptIndex} ${seed}`)).size;
  await grid(runs, {
    rows: seeded ? ["text", "seed"] : "text",
    columns: ["model", "steps"],
    captions: ["seconds"],
    notes: ["One seed a row. Times hold text, steps and decoding, with the model loaded."],
    cell: 136,
  }).save(comparison);
  const inside = `${folder}/demo-steps.${format}`;
  const student = models.find(({ name }) => name === "Lightning");
  if (student !== undefined) await stepsFigure(student, runs, inside);

  const { costTable } = await import("../view/cost_table.ts");
  console.log(costTable(runs, { caption: "What it cost", reference: "base" }).text());
  console.log(`\n${comparison}  the base and its students side by side`);
  if (student !== undefined) console.log(`${inside}       what the student guesses, step by step`);
  console.log(
    `\n${
      ((performance.now() - began) / 1000).toFixed(1)
    } s in all. Next: deno task article, notebooks/01-first-steps.ipynb, or deno task generate --help`,
  );
}

/** The base, and of each kind of student the one that the article advises, as far as they are there. */
function columnsOf({ sections }: Family, steps: number): readonly ComparedModel[] {
  const [base] = sections.base;
  const of = (models: readonly ComparedModel[], name: string, recipe: string) =>
    models.filter((model) => model.name === name && model.recipe === recipe);
  const inSteps = ([model]: readonly ComparedModel[], recipe: string, steps: number) =>
    model === undefined ? [] : [{ ...model, recipes: [{ recipe, steps }] }];
  return [
    { ...base, recipes: (base.recipes ?? []).map((way) => typeof way === "string" ? way : { ...way, steps }) },
    ...[4, 1].flatMap((count) => of(sections.lightning, "Lightning U-Net", `lightning-${count}step`))
      .map((model) => ({ ...model, name: "Lightning" })),
    ...of(sections.custom, "custom + LoRA", "lightning-4step"),
    ...inSteps(sections.turbo, "turbo", 4),
    ...inSteps(sections.lcm, "lcm", 8),
  ];
}

/** x0 of every step of the first student, for each prompt's first seed. */
async function stepsFigure({ model: path, unet, recipe }: ComparedModel, runs: Runs, file: string): Promise<void> {
  const { open } = await import("../model/open.ts");
  const { grid } = await import("../view/grid.ts");
  const { formatSigma } = await import("../view/items.ts");
  await using model = await open(path, { unet });
  const first = new Map(runs.cells.map((cell) => [cell.promptIndex, cell] as const).toReversed());
  const cells = [...first.values()].toReversed();
  const paths = [];
  for (const { prompt, seed } of cells) {
    const { step } = await model.generate({ prompt, seed: BigInt(seed), recipe });
    paths.push(step.path.slice(1));
  }
  await grid(paths, {
    decode: model,
    rows: cells.map(({ prompt }) => prompt),
    columns: paths[0].map((step) => `step ${step.index} · σ ${formatSigma(step.sigma)}`),
    notes: ["x0, what the network guesses the finished picture to be, at each of the student's steps."],
    cell: 144,
  }).save(file);
}

async function chosenPrompts(): Promise<readonly ComparedPrompt[]> {
  const { articlePrompts } = await import("../sweep/family/article.ts");
  return articlePrompts.filter(({ name }) => chosen.includes(name));
}

if (import.meta.main) await main(demo);
