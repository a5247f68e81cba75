/** The article's figures and tables, of whatever a comparison has of its models. */

import type { Cell } from "../../sweep/cell.ts";
import { publishedNames } from "../../sweep/family/article.ts";
import type { Runs } from "../../sweep/runs.ts";
import type { Figure } from "../../view/figure.ts";
import type { Table } from "../../view/table_export.ts";

/** Something that the article exports: what it is called, of which results, and how it is drawn. */
export interface Exhibit {
  /** Without ending: "lightning". */
  readonly name: string;
  /** What it shows, for the list that the command prints. */
  readonly about: string;
  /** The results that it is drawn from, and carries. */
  readonly runs: Runs;
  readonly draw: (runs: Runs) => Promise<Figure | Table>;
}

const LIGHTNING = ["Lightning full", "Lightning U-Net", "Lightning LoRA"];

/** CSS pixels of a picture's longer side: room for the article's longest prompt beside it. */
const CELL = 148;

/** Everything that these results suffice for, in the article's order. Nothing is drawn yet. */
export function exhibitsOf(runs: Runs): readonly Exhibit[] {
  const exhibits: Exhibit[] = [];
  const put = (name: string, about: string, part: Runs, draw: Exhibit["draw"]) =>
    exhibits.push({ name, about, runs: part, draw });
  /** A grid of the cells of a kind, where they are of the models that it is about. */
  const sheet = (name: string, about: string, models: readonly string[], wanted: (cell: Cell) => boolean) => {
    if (!runs.cells.some((cell) => wanted(cell) && models.includes(cell.model))) return;
    put(name, about, runs.only(wanted), (part) => comparison(part, about));
  };
  const of = (...models: readonly string[]) => ({ model }: Cell) => models.includes(model);

  const [full] = LIGHTNING.filter((name) => runs.cells.some(({ model }) => model === name));
  sheet("base", "The base, guided, in 50 steps", ["base"], of("base"));
  sheet("lightning", "The base and Lightning", LIGHTNING, of("base", full));
  const formSteps = stepsOfForms(runs);
  const form = (cell: Cell) => LIGHTNING.includes(cell.model) && cell.steps === formSteps;
  if (formSteps !== undefined) {
    sheet("forms", "Lightning's three forms", LIGHTNING, form);
    put("forms-differences", "What LoRA and U-Net change of the full model", runs.only(form), formDifferences);
  }
  sheet("custom", "Lightning's LoRA on a custom model", ["custom", "custom + LoRA"], of("custom", "custom + LoRA"));
  const few = (cell: Cell) => cell.model === "Turbo" || (cell.model === full && cell.steps <= 4);
  sheet("turbo", "Turbo, at half the size, and Lightning", ["Turbo"], few);
  const withLora = LIGHTNING[2];
  sheet("lcm", "LCM-LoRA and Lightning's LoRA", ["LCM-LoRA"], of("LCM-LoRA", withLora));
  const comfy = "Lightning, ComfyUI";
  sheet("comfyui", "Lightning by diffusers' and by ComfyUI's schedule", [comfy], of("Lightning full", comfy));
  put("all", "Every picture", runs, contactSheetOf);

  put("costs", "Time, memory and quality", runs, async (part) => {
    const { costTable } = await import("../../view/cost_table.ts");
    return costTable(part);
  });
  for (const bars of ["seconds", "memory"] as const) {
    const about = bars === "seconds" ? "Seconds a picture" : "Peak memory";
    put(bars, `${about}, beside what the article reports`, runs, async (part) => {
      const [{ costBars }, { publishedFigures: published }] = await Promise.all([
        import("../../view/bars.ts"),
        import("../../view/published.ts"),
      ]);
      return costBars(part, { of: bars, published, names: publishedNames, heading: about });
    });
  }
  if (runs.summary.some(({ quality }) => Object.keys(quality).length > 0)) {
    put("time-quality", "What a picture costs, and how good it is", runs, async (part) => {
      const { timeAgainstQuality } = await import("../../view/plots.ts");
      return timeAgainstQuality(part, { heading: "What a picture costs, and how good it is", width: 720, height: 480 });
    });
    put("steps-quality", "How good it is, by steps", runs, async (part) => {
      const { stepsAgainstQuality } = await import("../../view/plots.ts");
      return stepsAgainstQuality(part, { heading: "Quality by steps" });
    });
  }
  return exhibits;
}

/** The number of steps in which most of Lightning's forms are there; nothing where no two are. */
function stepsOfForms({ summary }: Runs): number | undefined {
  const forms = Map.groupBy(summary.filter(({ model }) => LIGHTNING.includes(model)), ({ steps }) => steps);
  // 4 steps are the article's sweet spot, and win where as many forms are there.
  const order = (steps: number) => Math.abs(Math.log2(steps / 4));
  const [best] = [...forms].filter(([, rows]) => rows.length > 1)
    .sort(([a, rows], [b, others]) => others.length - rows.length || order(a) - order(b));
  return best?.[0];
}

async function comparison(runs: Runs, heading: string): Promise<Figure> {
  const { grid } = await import("../../view/grid.ts");
  return grid(runs, { heading, rows: "text", columns: ["model", "steps"], captions: ["seed", "seconds"], cell: CELL });
}

async function formDifferences(runs: Runs): Promise<Figure> {
  const { differences } = await import("../../view/difference.ts");
  return differences(runs, { heading: "What the forms differ in", rows: "text", columns: "model", cell: CELL });
}

async function contactSheetOf(runs: Runs): Promise<Figure> {
  const { contactSheet } = await import("../../view/contact_sheet.ts");
  const pictures = await Promise.all(runs.cells.map((cell) => runs.picture(cell)));
  return contactSheet(pictures, {
    heading: "Every picture",
    captions: runs.cells.map(({ promptName, model, steps }) => `${model}\n${steps} · ${promptName}`),
    columns: Math.max(1, new Set(runs.cells.map(({ promptIndex, seed }) => `${promptIndex} ${seed}`)).size),
    cell: 112,
  }).madeBy(() => runs.provenance());
}
