/** Pictures behind one slider, in a cell or a page of their own: everything is in the HTML, no server is asked. */

import { contactSheetOf } from "./slider_sheet.ts";
import { Figure } from "./figure.ts";
import { type Item, type LookOptions, stepCaption, stepTitle } from "./items.ts";
import { writeInto } from "./picture.ts";
import { strip } from "./strip.ts";
import { escapeHtml } from "./table.ts";
import { Step } from "../model/step.ts";

/** What a slider shows. */
export interface SliderOptions extends LookOptions {
  /** What each frame is, read out as the slider moves. Default: a step's number and sigma. */
  readonly labels?: readonly string[];
  /** What the slider changes. Default "step". */
  readonly name?: string;
  /** Over the whole. */
  readonly heading?: string;
  /** CSS pixels of a picture's longer side, of frames that are no figures. Default 256. */
  readonly cell?: number;
}

/** Bytes of all frames: an output in a notebook has 16 MB at most, and a page should open at once. */
const limit = 8_000_000;

/** CSS pixels: room for the slider and its words, where the frames are small. */
const leastWidth = 420;

/** Frames under a slider, in one HTML fragment. `slider` makes it. */
export class Slider {
  /** All frames at once: what is seen where no script runs, as on GitHub. */
  readonly sheet: Figure;
  readonly #frames: readonly Figure[];
  readonly #labels: readonly string[];
  readonly #name: string;
  readonly #heading: string | undefined;

  /** Use `slider`. */
  constructor(frames: readonly Figure[], labels: readonly string[], name: string, heading: string | undefined) {
    this.#frames = frames;
    this.#labels = labels;
    this.#name = name;
    this.#heading = heading;
    this.sheet = contactSheetOf(frames, heading);
  }

  /**
   * The slider as a piece of HTML, with all frames in it.
   * @throws RangeError when they are larger than 8 MB
   */
  async html(): Promise<string> {
    const images: string[] = [];
    let [bytes, width] = [0, 0];
    const last = this.#frames.length - 1;
    for (const [index, figure] of this.#frames.entries()) {
      const data = await figure.webp();
      bytes += data.length * 4 / 3;
      if (bytes > limit) {
        throw new RangeError(
          `Cannot put ${this.#frames.length} frames behind a slider: they have more than ${limit / 1e6} MB. ` +
            `Use fewer, or a smaller cell.`,
        );
      }
      const drawing = await figure.drawing();
      width = Math.max(width, drawing.width);
      images.push(
        `<img src="data:image/webp;base64,${data.toBase64()}" alt="${escapeHtml(await figure.alt())}" ` +
          `width="${drawing.width}" data-label="${escapeHtml(this.#labels[index])}"${index === last ? "" : " hidden"}>`,
      );
    }
    width = Math.max(width, leastWidth);
    const id = crypto.randomUUID();
    const move = "const f=this.closest('figure'),p=f.querySelectorAll('img');" +
      "p.forEach((q,i)=>{q.hidden=i!=this.value});const t=p[this.value].dataset.label;" +
      "f.querySelector('output').textContent=t;this.setAttribute('aria-valuetext',t)";
    return `<figure style="margin:0;max-width:${width}px">` +
      (this.#heading === undefined ? "" : `<figcaption><strong>${escapeHtml(this.#heading)}</strong></figcaption>`) +
      `<div style="background:#fff">${images.join("")}</div>` +
      `<div style="display:flex;gap:.75em;align-items:center"><label for="${id}">${escapeHtml(this.#name)}</label>` +
      // JupyterLab takes the arrow keys for headings, unless an element says that they are its own.
      `<input id="${id}" type="range" data-lm-suppress-shortcuts="true" min="0" max="${last}" value="${last}" style="flex:1" ` +
      `aria-valuetext="${escapeHtml(this.#labels[last])}" oninput="${move}">` +
      `<output for="${id}">${escapeHtml(this.#labels[last])}</output></div></figure>`;
  }

  /** A page of its own, `.html`. The file is there whole or not at all. */
  async save(path: string): Promise<void> {
    const title = escapeHtml(this.#heading ?? `${this.#name}: ${this.#labels.join(", ")}`);
    const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>` +
      `<meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}` +
      `body{font-family:system-ui,sans-serif;margin:1rem}img{max-width:100%;height:auto}[hidden]{display:none}</style>` +
      `</head><body><main>${await this.html()}</main></body></html>`;
    await writeInto(path, new TextEncoder().encode(page));
  }
}

/**
 * Frames behind a slider, the last one shown first: steps, latents, pictures, or figures of any kind, as strengths or
 * guidance scales may give them. `await show(slider(…))`, or `.save("figures/steps.html")`.
 */
export function slider(frames: readonly (Item | Figure)[], options: SliderOptions = {}): Slider {
  const { labels, name = "step", heading, cell = 256 } = options;
  if (frames.length === 0) throw new RangeError("Cannot slide through nothing: at least one frame was wanted.");
  if (labels !== undefined && labels.length !== frames.length) {
    throw new RangeError(`Cannot put ${labels.length} labels on ${frames.length} frames: one each was wanted.`);
  }
  const words = labels ??
    frames.map((frame, index) =>
      frame instanceof Step ? `${stepTitle(frame)}, ${stepCaption(frame)}` : `${index + 1} of ${frames.length}`
    );
  const figures = frames.map((frame, index) =>
    frame instanceof Figure ? frame : strip([frame], {
      decode: options.decode,
      space: options.space,
      of: options.of,
      cell,
      titles: [words[index]],
      captions: [""],
    })
  );
  return new Slider(figures, words, name, heading);
}
