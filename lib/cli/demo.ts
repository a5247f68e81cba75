/**
 * `deno task demo`: the main job in small, on the pocket models. Base and 4-step student side by side on prompts of
 * the article, what the student sees at each step, and what it all cost; figures land in figures/.
 */

import type { Model } from "../model/model.ts";
import type { Generated } from "../model/step.ts";
import type { Request } from "../model/request.ts";
import type { TableRow } from "../view/table.ts";
import { type Arguments, type Command, main, type Running } from "./args.ts";

const base = "models/pocket/base";
const student = "models/pocket/lightning_4step_unet.safetensors";
const prompts = "data/prompts/article.json";

/** Of the article's six, those that the pocket models know best. */
const chosen = ["portrait", "animal", "text"];

export const demo: Command = {
  name: "demo",
  about: "Compares the pocket base model with its 4-step student on three prompts, and writes the figures.",
  options: {
    out: { value: "FOLDER", about: "where the figures go; default figures" },
    format: { value: "NAME", about: "png, webp; default png" },
    steps: { value: "N", about: "steps of the base model; default 50" },
  },
  examples: ["deno task demo"],
  run,
};

interface Row {
  readonly prompt: string;
  readonly base: Generated;
  readonly student: Generated;
}

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const folder = args.text("out") ?? "figures";
  const steps = args.number("steps", "a whole number from 1", { whole: true, least: 1 }) ?? 50;
  const format = args.oneOf("format", ["png", "webp"]) ?? "png";
  const began = performance.now();
  console.log(
    `Three of the article's prompts on the pocket models: the base in ${steps} guided steps, its student in 4.\n`,
  );

  const rows = await compare(steps, signal);
  const { grid } = await import("../view/grid.ts");
  const { formatSigma } = await import("../view/items.ts");
  const { tableText } = await import("../view/table.ts");
  const labels = [`base, ${steps} steps, guided`, "its student, 4 steps"];

  const comparison = `${folder}/demo-comparison.${format}`;
  await grid([rows.map(({ base }) => base.image), rows.map(({ student }) => student.image)], {
    rows: labels,
    columns: rows.map(({ prompt }) => prompt),
    captions: [rows.map(({ base }) => cost(base)), rows.map(({ student }) => cost(student))],
    notes: ["The same noise down each column. Times are those of the denoising steps, with the network loaded."],
    cell: 208,
  }).save(comparison);

  const inside = `${folder}/demo-steps.${format}`;
  await using model = await openStudent();
  const paths = rows.map(({ student }) => student.step.path.slice(1));
  await grid(paths, {
    decode: model,
    rows: rows.map(({ prompt }) => prompt),
    columns: paths[0].map((step) => `step ${step.index} · σ ${formatSigma(step.sigma)}`),
    notes: ["x0, what the network guesses the finished picture to be, at each of the student's steps."],
    cell: 160,
  }).save(inside);

  console.log(tableText(rows.flatMap(({ prompt, base, student }) => [
    costs(prompt, labels[0], base),
    costs(prompt, labels[1], student),
  ])));
  console.log(`\n${comparison}  teacher and student side by side`);
  console.log(`${inside}       what the student guesses, step by step`);
  console.log(
    `\n${
      ((performance.now() - began) / 1000).toFixed(1)
    } s in all. Next: notebooks/01-first-steps.ipynb, or deno task generate --help`,
  );
}

/** Each model is loaded once. */
async function compare(steps: number, signal: AbortSignal): Promise<Row[]> {
  const { open } = await import("../model/open.ts");
  const requests = await chosenPrompts();
  const { progress } = await import("../view/progress.ts");
  const bar = await progress({ label: "denoising", total: requests.length * (steps + 4) });
  const all = async (model: Model, options: Omit<Request, "prompt">): Promise<Generated[]> => {
    const made: Generated[] = [];
    await model.next(await model.begin({ ...requests[0], ...options })); // loads the networks, outside of what is timed
    for (const request of requests) {
      made.push(await model.generate({ ...request, ...options }, { signal, onStep: () => void bar.advance() }));
    }
    return made;
  };
  try {
    await using teacher = await open(base);
    const taught = await all(teacher, { recipe: "base", steps, guidance: 4 });
    await teacher.close();
    await using pupil = await openStudent();
    const learned = await all(pupil, { recipe: "lightning-4step" });
    return requests.map(({ prompt }, index) => ({ prompt, base: taught[index], student: learned[index] }));
  } finally {
    await bar.end();
  }
}

async function openStudent(): Promise<Model> {
  const { open } = await import("../model/open.ts");
  return await open(base, { unet: student });
}

async function chosenPrompts(): Promise<{ prompt: string; seed: number }[]> {
  const v = await import("valibot");
  const schema = v.array(v.object({ name: v.string(), prompt: v.string(), seed: v.number() }));
  const known = v.parse(schema, JSON.parse(await Deno.readTextFile(prompts)));
  return chosen.map((name) => {
    const found = known.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`Cannot find the prompt "${name}" in ${prompts}.`);
    return { prompt: found.prompt, seed: found.seed };
  });
}

function costs(prompt: string, model: string, { step, timing }: Generated): TableRow {
  const each = step.path.slice(1).map(({ timing }) => timing.unet);
  return {
    prompt: prompt.length > 40 ? prompt.slice(0, 39) + "…" : prompt,
    model,
    "seconds": (timing.steps / 1000).toFixed(2),
    "ms a network run": Math.round(each.reduce((sum, value) => sum + value, 0) / each.length),
  };
}

function cost({ timing }: Generated): string {
  return `${(timing.steps / 1000).toFixed(2)} s`;
}

if (import.meta.main) await main(demo);
