/** Many runs in one HTML file, to step through by keyboard, offline: steps, x0, channels, attention, times. */

import type { Step } from "../model/step.ts";
import { seedsOf } from "../model/request.ts";
import { tokenMap } from "./attention.ts";
import { peak, percent } from "./attention_figure.ts";
import { diverging, ember, heat, overlay } from "./heat.ts";
import { formatSigma, look, type LookOptions, stepTitle } from "./items.ts";
import { channelPlanes, largest, latentToRgb } from "./latent.ts";
import { loadSharp, writeInto } from "./picture.ts";
import { type Raster, rasters } from "./raster.ts";
import { formatBytes, formatMilliseconds } from "./step.ts";

/** One run: the last step of it, and whose it is. */
export interface ExplorerRun extends Pick<LookOptions, "decode" | "space"> {
  /** What the run is called beside its prompt: the model, for example. */
  readonly name: string;
  /** The last step; its `path` is shown. Attention is, where it was observed. */
  readonly step: Step;
}

/** What an explorer shows. */
export interface ExplorerOptions {
  /** Of the page. */
  readonly title?: string;
  /** Steps kept of each run, evenly spaced, the first and the last among them. Default 8. */
  readonly steps?: number;
  /** Words of the prompt whose attention is kept: those that get the most of it. Default 6. */
  readonly words?: number;
  /** Bytes that the file may have. Pictures get smaller until they fit. Default 10 MB. */
  readonly limit?: number;
}

/** Pixels of a picture's longer side, and WebP's quality: the first pair that fits is taken. */
const sizes = [[320, 82], [256, 78], [192, 74], [144, 70], [96, 66]] as const;

/** What the page reads: see explorer.html. */
interface PageRun {
  readonly name: string;
  readonly prompt: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly steps: readonly PageStep[];
}

interface PageStep {
  readonly title: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly pictures: readonly {
    readonly label: string;
    readonly alt: string;
    readonly src: string;
    readonly kind: string;
  }[];
}

/** A picture of the page before it is encoded. */
interface Drawn {
  readonly label: string;
  readonly alt: string;
  readonly raster: Raster;
  /** "photo" is reduced to fit, "plane" keeps its pixels, one a latent cell. */
  readonly kind: "photo" | "plane";
}

/** Whole runs in one HTML file. `explorer` makes it. */
export class Explorer {
  readonly #runs: readonly ExplorerRun[];
  readonly #options: ExplorerOptions;

  /** Use `explorer`. */
  constructor(runs: readonly ExplorerRun[], options: ExplorerOptions) {
    this.#runs = runs;
    this.#options = options;
  }

  /** @throws RangeError when the smallest pictures do not fit into the limit */
  /** The page, whole: styles, scripts and pictures are in it. */
  async html(): Promise<string> {
    const { title = "Runs, step by step", limit = 10e6 } = this.#options;
    const drawn = [];
    for (const run of this.#runs) drawn.push({ run, steps: await this.#draw(run) }); // a decoder runs one at a time
    const template = await Deno.readTextFile(new URL("./explorer.html", import.meta.url));
    for (const [side, quality] of sizes) {
      const runs: PageRun[] = [];
      for (const { run, steps } of drawn) {
        runs.push({ ...about(run), steps: await Promise.all(steps.map((step) => encoded(step, side, quality))) });
      }
      const page = filled(template, title, runs);
      if (page.length <= limit) return page;
    }
    throw new RangeError(
      `Cannot put ${this.#runs.length} runs into ${
        limit / 1e6
      } MB: give fewer runs, steps or words, or a larger limit.`,
    );
  }

  /** Writes the page, `.html`. The file is there whole or not at all. */
  async save(path: string): Promise<void> {
    await writeInto(path, new TextEncoder().encode(await this.html()));
  }

  async #draw(run: ExplorerRun): Promise<{ step: Step; pictures: Drawn[] }[]> {
    const { steps: most = 8, words = 6 } = this.#options;
    const taken = run.step.path.filter(({ index }) => index > 0);
    const out = [];
    for (const step of spaced(taken, most)) out.push({ step, pictures: await picturesOf(step, run, words) });
    return out;
  }
}

/**
 * Runs side by side in one file: `await explorer(runs).save("runs.html")`. Arrow keys step through it. It asks no server,
 * holds no path, and shows prompt, seed, recipe and times of each run.
 *
 * @throws RangeError for no runs, or one that has taken no step
 */
export function explorer(runs: readonly ExplorerRun[], options: ExplorerOptions = {}): Explorer {
  const idle = runs.find(({ step }) => step.index === 0);
  if (runs.length === 0 || idle !== undefined) {
    throw new RangeError(
      `Cannot explore ${idle ? `${idle.name}: it has taken no step` : "no runs: at least one was wanted"}.`,
    );
  }
  return new Explorer(runs, options);
}

function about({ name, step }: ExplorerRun): Omit<PageRun, "steps"> {
  const { request, trajectory, count } = step;
  const taken = step.path.filter(({ index }) => index > 0);
  const total = taken.reduce((sum, { timing }) => sum + timing.step, 0);
  return {
    name,
    prompt: request.prompt,
    facts: {
      seed: seedsOf(request).join(", "),
      recipe: trajectory.recipe,
      sampler: trajectory.sampler,
      guidance: String(trajectory.guidance),
      steps: String(count),
      "all steps": formatMilliseconds(total),
    },
  };
}

function spaced<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  const at = (index: number) => items[Math.round(index * (items.length - 1) / Math.max(1, most - 1))];
  return Array.from({ length: most }, (_, index) => most === 1 ? items[items.length - 1] : at(index));
}

async function picturesOf(step: Step, { decode, space }: ExplorerRun, words: number): Promise<Drawn[]> {
  const where = stepTitle(step);
  const { rasters: [x0] } = await look(step, { decode, space });
  const pictures: Drawn[] = [
    { label: "x0, the network's guess", alt: `x0 at ${where}`, raster: x0, kind: "photo" },
    {
      label: "x_t, what the sampler holds (linear colours)",
      alt: `x_t at ${where}`,
      raster: rasters(latentToRgb(step.latent.slice(0, 1), space))[0],
      kind: "plane",
    },
  ];
  const latent = step.latent.slice(0, 1);
  const most = largest(latent);
  channelPlanes(latent).forEach((plane, channel) =>
    pictures.push({
      label: `channel ${channel}, blue −${most.toFixed(1)} to red ${most.toFixed(1)}`,
      alt: `channel ${channel} of x_t at ${where}`,
      raster: heat(plane, { colors: diverging, range: [-most, most] }).raster,
      kind: "plane",
    })
  );
  const seen = step.observed;
  if (seen === undefined || ![...seen.attention.values()].some(({ of }) => of === "text")) return pictures;
  const maps = seen.words.filter(({ text }) => /[\p{L}\p{N}]/u.test(text)).map(({ text, positions }) => {
    const plane = tokenMap(step, positions);
    return { text, plane, peak: peak(plane) };
  });
  for (const { text, plane, peak } of maps.toSorted((a, b) => b.peak - a.peak).slice(0, words)) {
    pictures.push({
      label: `attention to “${text}”, at most ${percent(peak)}`,
      alt: `attention to ${text} over x0 at ${where}`,
      raster: overlay(x0, plane, { colors: ember, range: [0, peak] }),
      kind: "photo",
    });
  }
  return pictures;
}

async function encoded(
  { step, pictures }: { readonly step: Step; readonly pictures: readonly Drawn[] },
  side: number,
  quality: number,
): Promise<PageStep> {
  const { timing, memory, sigma, timestep } = step;
  return {
    title: stepTitle(step),
    facts: {
      "σ": formatSigma(sigma),
      timestep: String(Number(timestep.toFixed(1))),
      step: formatMilliseconds(timing.step),
      network: formatMilliseconds(timing.unet),
      memory: formatBytes(memory.resident),
    },
    pictures: await Promise.all(pictures.map(async ({ label, alt, raster, kind }) => ({
      label: label + broken(raster),
      alt: alt + broken(raster),
      kind,
      src: `data:image/webp;base64,${(await webp(raster, kind, side, quality)).toBase64()}`,
    }))),
  };
}

/** What is no number must not look like a picture. */
function broken({ notFinite }: Raster): string {
  return notFinite === 0 ? "" : `; ${notFinite} pixels are NaN or infinite: a magenta checker`;
}

async function webp({ data, width, height }: Raster, kind: Drawn["kind"], side: number, quality: number) {
  const sharp = await loadSharp();
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const bytes = kind === "plane"
    ? image.webp({ lossless: true })
    : image.resize({ width: side, height: side, fit: "inside", withoutEnlargement: true }).webp({ quality });
  return new Uint8Array(await bytes.toBuffer());
}

/** JSON in a script element: no `</script>` may stand in it. */
function filled(template: string, title: string, runs: readonly PageRun[]): string {
  const json = JSON.stringify(runs).replaceAll("<", "\\u003c");
  const safe = title.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
  return template.replaceAll(/\{\{ ?title ?\}\}/g, () => safe).replace(/\[\s*"\{\{runs\}\}"\s*\]/, () => json);
}
