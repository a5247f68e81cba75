/**
 * Words as SVG outlines, from fonts that come with the kit.
 *
 * A machine without fontconfig draws no text at all and says nothing, and two machines with different fonts draw
 * different figures. Outlines look the same everywhere, in PNG, SVG and PDF.
 * Inter (SIL Open Font License 1.1), and DejaVu Sans (Bitstream Vera licence) for what Inter's files lack: arrows, ₀, …
 */

// @ts-types="npm:@types/opentype.js@1.3.10"
import opentype from "opentype.js";

/** How bold: as CSS counts it. */
export type Weight = 400 | 600;

/** How a line of words looks. */
export interface TextStyle {
  /** Font size in CSS pixels. */
  readonly size: number;
  /** 400 for text (default), 600 for headings: the two that the fonts of the kit have. */
  readonly weight?: Weight;
  /** Default near black: figures stand on white. */
  readonly color?: string;
  /** Which end of the line stands at x. Default "start". */
  readonly anchor?: "start" | "middle" | "end";
}

/** The files of a weight, in the order in which a letter is looked for. */
function filesOf(weight: Weight): string[] {
  const subsets = ["latin", "greek", "latin-ext", "cyrillic", "vietnamese"];
  return [
    ...subsets.map((subset) => `@fontsource/inter/files/inter-${subset}-${weight}-normal.woff`),
    "@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff",
  ];
}

const opened = new Map<string, opentype.Font>();

/** Part of a line that one font file draws, `x` from the line's beginning. */
export interface FontRun {
  readonly file: string;
  readonly text: string;
  readonly x: number;
}

interface PlacedGlyph {
  readonly glyph: opentype.Glyph;
  readonly x: number;
  readonly file: string;
  readonly letter: string;
}

/** A font file as it came: WOFF. */
export function fontBytes(file: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(import.meta.resolve(file)));
}

/** Opens a font when a letter first asks for it: most labels need one file of the six, and each takes milliseconds. */
function font(file: string): opentype.Font {
  let known = opened.get(file);
  if (known === undefined) {
    known = opentype.parse(fontBytes(file).buffer, { lowMemory: true });
    opened.set(file, known);
  }
  return known;
}

/**
 * A path's commands as SVG writes them, in hundredths of a pixel. opentype.js' own `toPathData` makes NaN of coordinates
 * that lie closer than 1e-6 above a whole number, and whatever follows is not drawn.
 */
function pathData({ commands }: opentype.Path): string {
  const at = (x: number, y: number) => `${Number(x.toFixed(2))} ${Number(y.toFixed(2))}`;
  return commands.map((command) => {
    switch (command.type) {
      case "M":
      case "L":
        return `${command.type}${at(command.x, command.y)}`;
      case "Q":
        return `Q${at(command.x1, command.y1)} ${at(command.x, command.y)}`;
      case "C":
        return `C${at(command.x1, command.y1)} ${at(command.x2, command.y2)} ${at(command.x, command.y)}`;
      case "Z":
        return "Z";
    }
  }).join("");
}

/** Words cut to fit, measured and drawn in one weight. Lengths are CSS pixels. */
export class Pen {
  readonly #files: readonly string[];

  constructor(weight: Weight = 400) {
    this.#files = filesOf(weight);
  }

  width(text: string, size: number): number {
    return this.#glyphs(text, size).width;
  }

  /** The text, or its beginning and "…" where it is wider than `width`. */
  fit(text: string, size: number, width: number): string {
    if (this.width(text, size) <= width) return text;
    const letters = [...text];
    let [fits, tooLong] = [0, letters.length];
    while (tooLong - fits > 1) {
      const middle = (fits + tooLong) >> 1;
      if (this.width(letters.slice(0, middle).join("").trimEnd() + "…", size) <= width) fits = middle;
      else tooLong = middle;
    }
    return letters.slice(0, fits).join("").trimEnd() + "…";
  }

  /** Lines no wider than `width`, broken at spaces but not at no-break ones; what does not fit into `lines` of them ends in "…". */
  wrap(text: string, size: number, width: number, lines: number): string[] {
    const out: string[] = [];
    let words = text.split(/[ \n\t]+/).filter((word) => word !== "");
    while (words.length > 0 && out.length < lines) {
      if (out.length === lines - 1) {
        out.push(this.fit(words.join(" "), size, width));
        break;
      }
      let count = words.length;
      while (count > 1 && this.width(words.slice(0, count).join(" "), size) > width) count--;
      out.push(this.fit(words.slice(0, count).join(" "), size, width));
      words = words.slice(count);
    }
    return out;
  }

  /** An SVG `<path>` of one line whose baseline is at `y`. */
  draw(text: string, x: number, y: number, { size, color = "#1c1c1c", anchor = "start" }: TextStyle): string {
    const { glyphs, width } = this.#glyphs(text, size);
    const left = x - (anchor === "start" ? 0 : anchor === "middle" ? width / 2 : width);
    const outline = glyphs.map(({ glyph, x }) => pathData(glyph.getPath(left + x, y, size))).join("");
    return outline === "" ? "" : `<path fill="${color}" d="${outline}"/>`;
  }

  /** The line in pieces of one font file each, for documents that embed fonts. */
  runs(text: string, size: number): { runs: FontRun[]; width: number } {
    const { glyphs, width } = this.#glyphs(text, size);
    const runs: FontRun[] = [];
    for (const { file, letter, x } of glyphs) {
      const last = runs.at(-1);
      if (last?.file === file) runs[runs.length - 1] = { ...last, text: last.text + letter };
      else runs.push({ file, text: letter, x });
    }
    return { runs, width };
  }

  /**
   * Each letter's glyph and place. Glyph by glyph: the library's own line layout refuses Inter's contextual
   * substitutions.
   */
  #glyphs(text: string, size: number): { glyphs: PlacedGlyph[]; width: number } {
    const glyphs: PlacedGlyph[] = [];
    let x = 0;
    for (const letter of text) {
      const file = this.#fileOf(letter);
      const face = font(file);
      const glyph = face.charToGlyph(letter);
      glyphs.push({ glyph, x, file, letter });
      x += (glyph.advanceWidth ?? 0) * size / face.unitsPerEm;
    }
    return { glyphs, width: x };
  }

  /** The first font that has the letter; of a letter that none has, the last draws its empty box, never nothing. */
  #fileOf(letter: string): string {
    const file = this.#files.find((file) => font(file).charToGlyphIndex(letter) > 0);
    return file ?? this.#files[this.#files.length - 1];
  }
}
