import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { latentSpaceOf, latentToRgb } from "../../lib/view/latent.ts";
import { readProvenance } from "../../lib/view/carry.ts";
import { encode, readPicture, savePicture } from "../../lib/view/picture.ts";
import { openCheckpoint } from "../../lib/weights/open.ts";
import { rasters } from "../../lib/view/raster.ts";
import { Pen } from "../../lib/view/text.ts";
import { disc, waves } from "./samples.ts";

const worst = (a: Tensor, b: Tensor) => a.minus(b).data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

for (const format of ["png", "webp"] as const) {
  Deno.test(`a picture survives ${format} to half a level of 255`, async () => {
    const picture = disc(0.3);
    const [raster] = rasters(picture);
    const back = await readPicture(await encode(raster, format));
    deepEqual(back.shape, picture.shape);
    ok(worst(back, picture) <= 0.5 / 255 + 1e-6);
  });
}

Deno.test("a picture is read from a file as it was saved; a batch is refused", async () => {
  const folder = await Deno.makeTempDir();
  await savePicture(disc(0.1), `${folder}/disc.png`);
  ok(worst(await readPicture(`${folder}/disc.png`), disc(0.1)) <= 0.5 / 255 + 1e-6);
  await rejects(savePicture(Tensor.concat([disc(0), disc(1)]), `${folder}/two.png`), /one picture was wanted/);
  await rejects(readPicture(`${folder}/none.png`), /Cannot open .*none\.png: it does not exist/);
  await Deno.writeTextFile(`${folder}/text.png`, "text");
  await rejects(readPicture(`${folder}/text.png`), /not a picture that the kit can read/);
  for (const name of ["empty.png", "empty.webp"]) {
    await Deno.writeFile(`${folder}/${name}`, new Uint8Array());
    await rejects(readPicture(`${folder}/${name}`), /not a picture that the kit can read/);
    await rejects(readProvenance(`${folder}/${name}`), /: Cannot (tell what made|read) .*empty/);
    await Deno.remove(`${folder}/${name}`);
  }
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  await Deno.remove(folder, { recursive: true });
  deepEqual(left, ["disc.png", "text.png"]);
});

Deno.test("values outside of 0..1 are clipped, not wrapped", () => {
  const [raster] = rasters(Tensor.of([-0.5, 0, 0.5, 1, 1.5, 2, 0, 0, 0, 0, 0, 0], [1, 3, 2, 2]));
  deepEqual([...raster.data], [0, 255, 0, 0, 255, 0, 128, 0, 0, 255, 0, 0]);
});

Deno.test("SDXL's linear preview: bias at zero, a row of the matrix for a unit channel", () => {
  const rgb = latentToRgb(Tensor.of([0, 1, 0, 0, 0, 0, 0, 0], [1, 4, 1, 2]));
  const expected = [0.1084, 0.1084 + 0.3651, -0.0175, -0.0175 + 0.4232, -0.0011, -0.0011 + 0.4341];
  expected.forEach((value, index) => ok(Math.abs(rgb.data[index] - (value + 1) / 2) < 1e-6, `value ${index}`));
});

Deno.test("the widths of a VAE tell whose latents they are", async () => {
  const { architecture } = (await openCheckpoint("data/goldens/tiny-sdxl")).vae;
  equal(latentSpaceOf(architecture), "sdxl", "one that the kit has no fit of");
  equal(latentSpaceOf({ ...architecture, blockOutChannels: [128, 256, 512, 512] }), "sdxl");
  equal(latentSpaceOf({ ...architecture, blockOutChannels: [64, 64, 96, 128] }), "pocket");
});

Deno.test("each picture of a batch of latents is coloured on its own", () => {
  const batch = latentToRgb(waves(2));
  deepEqual(batch.slice(1, 2).data, latentToRgb(waves(2).slice(1, 2)).data);
});

Deno.test("text is cut and wrapped to the width it was given", () => {
  const pen = new Pen(400);
  const cut = pen.fit("a sentence that does not fit", 12, 80);
  ok(cut.endsWith("…") && pen.width(cut, 12) <= 80);
  equal(pen.fit("short", 12, 80), "short");
  const lines = pen.wrap("one two three four five six seven", 12, 60, 3);
  equal(lines.length, 3);
  ok(lines.every((line) => pen.width(line, 12) <= 60));
  ok(lines[2].endsWith("…"));
});

Deno.test("a letter that no font has is drawn as a box, not left out", () => {
  const pen = new Pen(600);
  ok(pen.width("日", 12) > 0);
  ok(pen.draw("日", 0, 12, { size: 12 }).includes("<path"));
});

Deno.test("outlines are numbers wherever a line begins", () => {
  const pen = new Pen(400);
  for (let i = 0; i < 400; i++) {
    const outline = pen.draw("seed 18446744073709551615", 147 + i * 0.137, 509 + i * 0.211, {
      size: 8.4123 + i * 0.001,
    });
    ok(!outline.includes("NaN"), `at ${i}`);
  }
});
