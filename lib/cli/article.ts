/** `deno task article`: the article's comparison in one command, from models to figures and tables for print and web. */

import { makeFolder } from "../weights/files.ts";
import { PRECISIONS } from "../model/precision.ts";
import { DEVICES } from "../model/sessions/devices.ts";
import { type Family, FAMILY_SECTIONS } from "../sweep/family/article.ts";
import type { ComparedModel, ComparedPrompt, QualityOptions } from "../sweep/options.ts";
import type { Runs } from "../sweep/runs.ts";
import type { FigureFormat } from "../view/figure.ts";
import type { TableFormat } from "../view/table_export.ts";
import { type Arguments, type Command, main, quote, type Running, UsageError } from "./args.ts";
import type { Exhibit } from "./article/figures.ts";
import { seedsOf } from "./values.ts";

const FIGURES: readonly FigureFormat[] = ["png", "svg", "pdf", "webp"];
const TABLES: readonly TableFormat[] = ["md", "tex", "csv", "parquet", "html"];
const DEFAULT_FIGURES: readonly FigureFormat[] = ["png", "svg", "pdf"];

export const articleCommand: Command = {
  name: "article",
  about:
    "Draws the article's prompts by every model of a family, measures time, memory and quality, and writes figures and\n" +
    "tables. What was drawn before is taken from the store; figures that would come out the same are left as they are.",
  kept: "What was finished is stored: the same command goes on from there.",
  options: {
    family: { value: "NAME", about: "pocket (default), or published: the article's own models, pulled before" },
    sections: {
      value: "NAME[,NAME…]",
      about: `of ${FAMILY_SECTIONS.join(", ")}; default all`,
    },
    prompts: {
      value: "FILE",
      about: "in place of the article's six: a JSON list of {prompt, name, seed}, or a text a line",
    },
    prompt: { value: "TEXT", about: "in place of the article's six, as often as there are prompts", multiple: true },
    seeds: { value: "N[,N…]", about: "one picture a seed, for prompts without their own; default 0" },
    clip: { value: "PATH", about: "a CLIP in safetensors that scores the pictures; default the family's" },
    device: { value: "NAME", about: `where to compute: ${DEVICES.join(", ")}; default cpu` },
    precision: { value: "NAME", about: `what to compute in: ${PRECISIONS.join(", ")}; default fp32` },
    formats: {
      value: "NAME[,NAME…]",
      about: `of figures ${FIGURES.join(", ")}, of tables ${TABLES.join(", ")}; default all but webp`,
    },
    out: { value: "FOLDER", about: "where figures and tables go; default figures" },
    store: { value: "FOLDER", about: "where pictures and numbers are kept; default runs" },
  },
  examples: [
    "deno task article",
    'deno task article --sections base,lightning --prompt "an owl, snow forest" --seeds 3 --formats pdf --out figures/owl',
  ],
  run,
};

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const began = performance.now();
  const out = args.text("out") ?? "figures";
  const formats = formatsOf(args);
  const sections = listed(args, "sections", FAMILY_SECTIONS) ?? FAMILY_SECTIONS;
  const family = await familyOf(args);
  for (const { section, model, why } of family.missing) {
    if (sections.includes(section)) console.error(`Missing: ${model}. ${why}`);
  }
  for (const note of family.notes) console.error(note);
  const { device, precision } = {
    device: args.oneOf("device", DEVICES),
    precision: args.oneOf("precision", PRECISIONS),
  };
  const models = sections.flatMap((section) => family.sections[section])
    .map((model) => ({ ...model, ...(device && { device }), ...(precision && { precision }) }));
  if (models.length === 0) {
    throw new Error(`Cannot compare ${sections.join(", ")}: none of its models is there. The lines above say why.`);
  }
  const { compare } = await import("../sweep/compare.ts");
  const runs = await compare({
    models,
    prompts: await promptsOf(args),
    seeds: args.has("seeds") ? seedsOf("seeds", args.text("seeds") ?? "") : undefined,
    measure: { warmUp: "step" },
    quality: qualityOf(models, args.text("clip") ?? family.clip),
    store: args.text("store"),
    signal,
    warn: (message) => console.error(message),
  });
  const compared = performance.now();
  const { drawn, files } = await exportAll(runs, { out, ...formats, signal });
  const { tableText } = await import("../view/table.ts");
  console.log(tableText(files.map(({ about, paths }) => ({ about, files: shortened(paths) }))));
  const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1);
  console.log(
    `\n${runs.cells.length} pictures in ${seconds(began, compared)} s, ${files.length} figures and tables ` +
      `(${drawn} drawn anew) in ${seconds(compared, performance.now())} s.`,
  );
}

async function familyOf(args: Arguments): Promise<Family> {
  if (args.oneOf("family", ["pocket", "published"]) === "published") {
    return await (await import("../sweep/family/published.ts")).publishedFamily();
  }
  return await (await import("../sweep/family/pocket.ts")).pocketFamily();
}

async function promptsOf(args: Arguments): Promise<readonly (string | ComparedPrompt)[]> {
  const { articlePrompts } = await import("../sweep/family/article.ts");
  const file = args.text("prompts");
  const own = args.texts("prompt");
  if (file === undefined) return own.length > 0 ? own : articlePrompts;
  const { readPrompts } = await import("./comparison_file.ts");
  return [...await readPrompts(file), ...own];
}

/** Distances to the teacher's pictures, where the teacher is compared too. */
function qualityOf(models: readonly ComparedModel[], clip: string | undefined): QualityOptions {
  const taught = models.some(({ name }) => name === "base");
  return { clip, ...(taught && { reference: { model: "base", steps: 50 } }) };
}

function formatsOf(args: Arguments): { figures: readonly FigureFormat[]; tables: readonly TableFormat[] } {
  const asked = listed(args, "formats", [...FIGURES, ...TABLES]);
  if (asked === undefined) return { figures: DEFAULT_FIGURES, tables: TABLES };
  return {
    figures: FIGURES.filter((format) => asked.includes(format)),
    tables: TABLES.filter((format) => asked.includes(format)),
  };
}

/** Values of a list with commas between. @throws UsageError for one that is none of them */
function listed<T extends string>(args: Arguments, name: string, choices: readonly T[]): readonly T[] | undefined {
  return args.text(name)?.split(",").map((text) => {
    const choice = choices.find((choice) => choice === text.trim());
    if (choice !== undefined) return choice;
    throw new UsageError(`Cannot use --${name} ${quote(text)}: wanted are ${choices.join(", ")}.`);
  });
}

interface ExportOptions {
  readonly out: string;
  readonly figures: readonly FigureFormat[];
  readonly tables: readonly TableFormat[];
  readonly signal: AbortSignal;
}

async function exportAll(
  runs: Runs,
  { out, figures, tables, signal }: ExportOptions,
): Promise<{ drawn: number; files: { about: string; paths: readonly string[] }[] }> {
  const { exhibitsOf } = await import("./article/figures.ts");
  const { Kept } = await import("./article/kept.ts");
  const { progress } = await import("../view/progress.ts");
  await makeFolder(out);
  const kept = await Kept.open(out);
  const endings = [...figures, ...tables];
  const files: { about: string; paths: readonly string[] }[] = [];
  let drawn = 0;
  const exhibits = exhibitsOf(runs);
  const bar = await progress({ label: "drawing", total: exhibits.length });
  try {
    for (const exhibit of exhibits) {
      signal.throwIfAborted();
      let paths = await kept.filesOf(exhibit, endings);
      if (paths === undefined) {
        drawn++;
        paths = await save(exhibit, `${out}/${exhibit.name}`, figures, tables);
        await kept.keep(exhibit, endings, paths.map((path) => path.slice(out.length + 1)));
      }
      if (paths.length > 0) files.push({ about: exhibit.about, paths });
      await bar.advance();
    }
  } finally {
    await bar.end();
  }
  return { drawn, files };
}

async function save(
  { runs, draw }: Exhibit,
  stem: string,
  figures: readonly FigureFormat[],
  tables: readonly TableFormat[],
): Promise<readonly string[]> {
  const drawing = await draw(runs);
  return "drawing" in drawing
    ? await drawing.saveAll(stem, { formats: figures })
    : await drawing.saveAll(stem, { formats: tables });
}

/** figures/costs.md, .tex, .csv */
function shortened([first, ...others]: readonly string[]): string {
  return [first, ...others.map((path) => path.slice(path.lastIndexOf(".")))].join(", ");
}

if (import.meta.main) await main(articleCommand);
