/**
 * Words as SVG outlines, from fonts that come with the kit.
 *
 * A machine without fontconfig draws no text at all and says nothing, and two machines with different fonts draw
 * different figures. Outlines look the same everywhere, in PNG, SVG and PDF.
 * Inter (SIL Open Font License 1.1), and DejaVu Sans (Bitstream Vera licence) for what Inter's files lack: arrows, ₀, …
 */

// @ts-types="npm:@types/opentype.js@1.3.10"
import opentype from "opentype.js";

export type Weight = 400 | 600;

export interface TextStyle {
  /** Font size in CSS pixels. */
  readonly size: number;
  readonly weight?: Weight;
  /** Default near black: figures stand on white. */
  readonly color?: string;
  /** Which end of the line stands at x. Default "start". */
  readonly anchor?: "start" | "middle" | "end";
}

const inter = ["latin", "latin-ext", "greek", "cyrillic", "vietnamese"];

const loaded = new Map<Weight, Promise<opentype.Font[]>>();

/** The fonts of a weight, in the order in which a glyph is looked for. */
function fonts(weight: Weight): Promise<opentype.Font[]> {
  let known = loaded.get(weight);
  if (known === undefined) {
    const files = inter.map((subset) => `@fontsource/inter/files/inter-${subset}-${weight}-normal.woff`);
    files.push("@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff");
    known = Promise.all(files.map(async (file) => {
      const bytes = await Deno.readFile(new URL(import.meta.resolve(file)));
      return opentype.parse(bytes.buffer);
    }));
    loaded.set(weight, known);
  }
  return known;
}

/** Words cut to fit, measured and drawn in one weight. Lengths are CSS pixels. */
export class Pen {
  readonly #fonts: readonly opentype.Font[];

  private constructor(fonts: readonly opentype.Font[]) {
    this.#fonts = fonts;
  }

  static async of(weight: Weight = 400): Promise<Pen> {
    return new Pen(await fonts(weight));
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

  /** Lines no wider than `width`, broken at spaces; what does not fit into `lines` of them ends in "…". */
  wrap(text: string, size: number, width: number, lines: number): string[] {
    const out: string[] = [];
    let words = text.split(/\s+/).filter((word) => word !== "");
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
    const outline = glyphs.map(({ glyph, x }) => glyph.getPath(left + x, y, size).toPathData(2)).join("");
    return outline === "" ? "" : `<path fill="${color}" d="${outline}"/>`;
  }

  /**
   * Each letter's glyph and place, kerned within a font. A letter that no font has becomes the empty box of the last,
   * never nothing. Glyph by glyph: the library's own line layout refuses Inter's contextual substitutions.
   */
  #glyphs(text: string, size: number): { glyphs: { glyph: opentype.Glyph; x: number }[]; width: number } {
    const last = this.#fonts[this.#fonts.length - 1];
    const glyphs: { glyph: opentype.Glyph; x: number }[] = [];
    let x = 0;
    let before: { font: opentype.Font; glyph: opentype.Glyph } | undefined;
    for (const letter of text) {
      const font = this.#fonts.find((font) => font.charToGlyphIndex(letter) > 0) ?? last;
      const glyph = font.charToGlyph(letter);
      if (before?.font === font) x += font.getKerningValue(before.glyph, glyph) * size / font.unitsPerEm;
      glyphs.push({ glyph, x });
      x += (glyph.advanceWidth ?? 0) * size / font.unitsPerEm;
      before = { font, glyph };
    }
    return { glyphs, width: x };
  }
}
