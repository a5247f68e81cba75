import { inFolder } from "../files.ts";
import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { contactSheet } from "../../lib/view/contact_sheet.ts";
import { differences } from "../../lib/view/difference.ts";
import { type Drawing, Figure } from "../../lib/view/figure.ts";
import { grid } from "../../lib/view/grid.ts";
import { loadSharp, readPicture } from "../../lib/view/picture.ts";
import { timeAgainstQuality } from "../../lib/view/plots.ts";
import { chromiumPng, haveChromium, launch } from "./browser.ts";
import { sampleComparison, sampleSummary } from "./comparison.ts";
import { havePoppler, popplerPng, run } from "./rendered.ts";
import { disc, waves } from "./samples.ts";
import { matchSnapshot } from "./snapshot.ts";

const comparison = () =>
  grid(sampleComparison(), {
    heading: "Two prompts",
    captions: [["seed", "seconds"], "text"],
    crops: [{ x: 0.1, y: 0.1, width: 0.3, height: 0.2 }, { x: 0.55, y: 0.6, width: 0.3, height: 0.2 }],
    cell: 128,
  });

Deno.test("a comparison as a grid: labels, captions, crops, an empty place", async () => {
  const figure = comparison();
  await matchSnapshot("comparison", await figure.png());
  match(await figure.alt(), /^Two prompts\. 2 × 3 pictures; rows: food; .*; columns: SDXL base, 50 steps; /);
});

/** Shares of pixels that two programs draw differently: they smooth edges and enlarge pictures in their own ways. */
async function difference(a: Uint8Array, b: Uint8Array): Promise<{ mean: number; far: number }> {
  const [one, other] = [await readPicture(a), await readPicture(b)];
  const [height, width] = one.shape.slice(2);
  ok(Math.abs(height - other.shape[2]) <= 2 && Math.abs(width - other.shape[3]) <= 2, `${one.shape} ${other.shape}`);
  const sharp = await loadSharp();
  // Half a pixel of offset is no difference: both are blurred by a pixel first.
  const blurred = async (bytes: Uint8Array) =>
    new Uint8Array(
      await sharp(bytes).resize(width, height, { fit: "fill" }).flatten({ background: "#fff" }).removeAlpha().blur(1.5)
        .raw().toBuffer(),
    );
  const [left, right] = [await blurred(a), await blurred(b)];
  let [sum, far] = [0, 0];
  left.forEach((value, index) => {
    const gap = Math.abs(value - right[index]);
    sum += gap;
    if (gap > 48) far++;
  });
  return { mean: sum / left.length, far: far / left.length };
}

/** Words, lines, areas, dashes, turned words, hard and smooth pictures: each way that a drawing has. */
const everything: Drawing = {
  width: 320,
  height: 200,
  pictures: [],
  shapes: [
    { path: "M20 180H300", stroke: "#8a8a8a" },
    { path: "M20 170C100 20 200 20 300 150", stroke: "#0072b2", strokeWidth: 2, dash: [6, 3] },
    { path: "M60 60h40v40h-40Z", fill: "#e69f00", opacity: 0.5 },
    { path: "M200 80a12 12 0 1 1 24 0a12 12 0 1 1 -24 0Z", fill: "#009e73", stroke: "#1c1c1c" },
  ],
  texts: [
    { text: "AVATAR, 0x0 → 50 % fi", x: 160, y: 24, size: 15, weight: 600, anchor: "middle" },
    { text: "quality (a.u.)", x: 14, y: 120, size: 11, angle: -90, anchor: "middle" },
    { text: "Ελλάς, Привет ≤ 1", x: 300, y: 195, size: 11, anchor: "end", color: "#5a5a5a" },
  ],
  alt: "Everything & <more>",
};
const figures: readonly (readonly [string, Figure])[] = [
  ["comparison", comparison()],
  ["everything", new Figure(() => everything)],
  ["plot", timeAgainstQuality(sampleSummary())],
  ["latents", grid([[waves(), disc(0.3)]], { cell: 120 })],
];

Deno.test({
  name: "Chromium draws the SVG as the PNG is",
  ignore: !haveChromium,
  fn: async (test) => {
    const browser = await launch();
    try {
      for (const [name, figure] of figures) {
        await test.step(name, async () => {
          const { mean, far } = await difference(await chromiumPng(browser, await figure.svg()), await figure.png());
          ok(mean < 1.5 && far < 0.004, `mean ${mean.toFixed(2)} of 255, ${(far * 100).toFixed(2)} % far off`);
        });
      }
    } finally {
      await browser.close();
    }
  },
});

for (const [name, figure] of figures) {
  Deno.test({
    name: `poppler draws the PDF as the PNG is: ${name}`,
    ignore: !havePoppler,
    fn: async () => {
      const { mean, far } = await difference(await popplerPng(await figure.pdf()), await figure.png());
      ok(mean < 1.5 && far < 0.004, `mean ${mean.toFixed(2)} of 255, ${(far * 100).toFixed(2)} % far off`);
    },
  });
}

Deno.test({
  name: "a PDF's words are text in embedded fonts, and its pictures are kept to the pixel",
  ignore: !havePoppler,
  fn: () =>
    inFolder(async (folder) => {
      await comparison().save(`${folder}/figure.pdf`);
      const words = await run("pdftotext", "-layout", `${folder}/figure.pdf`, "-").then((text) =>
        text.replaceAll("\u00a0", " ")
      );
      for (const wanted of ["Two prompts", "SDXL base", "50 steps", "seed 78934567", "5.2 s"]) {
        ok(words.includes(wanted), `${wanted} is not in: ${words}`);
      }
      const fonts = (await run("pdffonts", `${folder}/figure.pdf`)).trim().split("\n").slice(2);
      ok(fonts.length >= 2 && fonts.every((line) => / yes yes yes /.test(line)), fonts.join("\n"));
      await run("pdfimages", "-png", "-f", "1", "-l", "1", `${folder}/figure.pdf`, `${folder}/picture`);
      const first = await readPicture(`${folder}/picture-000.png`);
      deepEqual(first.data, (await readPicture(await pngOf(0.2))).data);
    }),
});

async function pngOf(hue: number): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const { pictures: [{ raster }] } = await grid([[disc(hue)]]).drawing();
  return await sharp(raster.data, { raw: { width: raster.width, height: raster.height, channels: 3 } }).png()
    .toBuffer();
}

Deno.test("an SVG keeps every pixel of its pictures, and fewer where a density says so", async () => {
  const embeddedSizes = async (density?: number) => {
    const svg = await grid([[disc(0.5, 256)]], { cell: 64 }).svg({ density });
    const [, data] = /href="data:image\/png;base64,([^"]+)"/.exec(svg) ?? [];
    return (await readPicture(new Uint8Array(Buffer.from(data ?? "", "base64")))).shape;
  };
  deepEqual(await embeddedSizes(), [1, 3, 256, 256]);
  deepEqual(await embeddedSizes(2), [1, 3, 128, 128]);
});

Deno.test("an SVG names no font, is escaped whatever a prompt holds, and is white beneath", async () => {
  const svg = await new Figure(() => ({ ...everything, texts: [{ text: '<b>&\u0007"', x: 9, y: 9, size: 9 }] })).svg();
  ok(!svg.includes("<text") && !svg.includes("font-family"));
  match(svg, /<title>Everything &amp; &lt;more&gt;<\/title>/);
  match(svg, /<rect width="320" height="200" fill="#ffffff"\/>/);
  match(svg, /<g aria-label="&lt;b&gt;&amp;\ufffd&quot;">/);
});

Deno.test("differences to a reference column, on one scale", async () => {
  const figure = differences(sampleComparison(), { reference: "SDXL base, 50 steps", cell: 128 });
  await matchSnapshot("differences", await figure.png());
  const { texts } = await figure.drawing();
  const captions = texts.map(({ text }) => text).filter((text) => text.startsWith("RMS"));
  equal(captions.length, 3);
  throws(() => differences(sampleComparison(), { reference: "turbo" }), /column "turbo": the grid's are SDXL base/);
});

Deno.test("equal pictures differ by nothing, opposite ones by all", async () => {
  const white = disc(0).times(0).map(() => 1);
  const { pictures, texts } = await differences([[white, white, white.times(0)]], { limit: 1 }).drawing();
  deepEqual([...pictures[1].raster.data.slice(0, 3)], [0, 0, 4], "the scale's darkest");
  deepEqual([...pictures[2].raster.data.slice(0, 3)], [252, 255, 164], "the scale's brightest");
  const captions = texts.map(({ text }) => text).filter((text) => text.startsWith("RMS"));
  deepEqual(captions, ["RMS 0.000", "RMS 1.000"]);
});

Deno.test("a contact sheet numbers its pictures and goes on in the next row", async () => {
  const figure = contactSheet(Array.from({ length: 23 }, (_, index) => disc(index / 22, 32)), { heading: "23 seeds" });
  await matchSnapshot("contact-sheet", await figure.png({ density: 1 }));
  const { pictures, width } = await figure.drawing();
  ok(width <= 984);
  equal(new Set(pictures.map(({ y }) => y)).size, 3);
});

Deno.test("crops outside of the picture are refused", () => {
  const crops = [{ x: 0.8, y: 0, width: 0.3, height: 0.2 }];
  throws(() => grid([[disc(0)]], { crops }), /Cannot crop 0\.3 × 0\.2 at \(0\.8, 0\)/);
});

Deno.test("saveAll writes each format beside the others", () =>
  inFolder(async (folder) => {
    const paths = await grid([[disc(0)]]).saveAll(`${folder}/new/disc`);
    deepEqual(paths, ["png", "webp", "svg", "pdf"].map((ending) => `${folder}/new/disc.${ending}`));
    deepEqual([...Deno.readDirSync(`${folder}/new`)].length, 4);
    const head = new TextDecoder().decode((await Deno.readFile(paths[3])).slice(0, 8));
    equal(head, "%PDF-1.7");
  }));
