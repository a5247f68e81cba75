import {
  cosine,
  diversity,
  frechetDistance,
  perceptualDistance,
  promptScore,
  psnr,
  relativeL2,
  retrieves,
  ssim,
} from "fewstep/measure/quality/mod.ts";
import { Clip } from "fewstep/model/clip.ts";
import { Tensor } from "fewstep";
import { closeEach, equal, throwsSentence } from "../assert.ts";
import { goldenPath, readGolden, readJson } from "../goldens/read.ts";

interface Expected {
  readonly frechet: Readonly<Record<string, { scipy: number; torchmetrics: number; error: number }>>;
  readonly pictures: Readonly<Record<string, { psnr: number; ssim: number }>>;
  readonly clip_score: { readonly text: string; readonly score: number };
  readonly diversity: number;
}
const expected = readJson<Expected>("quality.json");
const data = readGolden("quality.safetensors");
const rows = (name: string) => Array.from({ length: data.get(name).shape[0] }, (_, index) => data.get(name).at(index));

const SETS: Readonly<Record<string, readonly [Tensor, Tensor]>> = {
  "many": [data.get("many"), data.get("other")],
  "few": [data.get("few"), data.get("other")],
  "both few": [data.get("few"), data.get("other").slice(0, 6)],
};

for (const [name, { scipy, torchmetrics, error }] of Object.entries(expected.frechet)) {
  Deno.test(`the Fréchet distance (${name}) is scipy's and torchmetrics', its error the jackknife's`, () => {
    const found = frechetDistance(...SETS[name]);
    closeEach([found.value], [scipy], 1e-6);
    closeEach([found.value], [torchmetrics], 1e-6);
    closeEach([found.error ?? NaN], [error], 1e-5);
  });
}

Deno.test("the Fréchet distance of a set to itself is 0, and two pictures have no error", () => {
  closeEach([frechetDistance(data.get("many"), data.get("many")).value], [0], 1e-9);
  equal(frechetDistance(data.get("few").slice(0, 2), data.get("other")).error, null);
});

for (const [name, { psnr: decibels, ssim: similarity }] of Object.entries(expected.pictures)) {
  Deno.test(`PSNR and SSIM are scikit-image's (${name})`, () => {
    const [a, b] = [data.get(`a${name}`), data.get(`b${name}`)];
    closeEach([psnr(a, b), ssim(a, b)], [decibels, similarity], 1e-6);
    equal([psnr(a, a), ssim(b, b)], [Infinity, 1]);
  });
}

Deno.test("the prompt score is torchmetrics' CLIPScore", async () => {
  await using clip = await Clip.open(goldenPath("tiny-clip"));
  const picture = readGolden("clip.safetensors").get("picture_wide");
  const features = await clip.images(picture.reshape([1, ...picture.shape]));
  const text = await clip.texts([expected.clip_score.text]);
  closeEach([promptScore(features, text)], [expected.clip_score.score], 1e-4);
});

Deno.test("diversity is the mean of scipy's cosine distances", () => {
  closeEach([diversity(rows("few"))], [expected.diversity], 1e-6);
});

Deno.test("a picture finds its caption when no other is as near", () => {
  const captions = [[1, 0], [0, 1], [1, 1]].map((values) => Tensor.of(values));
  equal(retrieves(Tensor.of([2, 0.1]), captions, 0), true);
  equal(retrieves(Tensor.of([2, 0.1]), captions, 2), false);
  equal(retrieves(Tensor.of([1, 1]), [captions[2], captions[2]], 0), false, "a tie is no find");
  equal([cosine(captions[0], captions[1]), perceptualDistance(captions[0], captions[1])], [0, 1]);
});

Deno.test("the relative L2 is that of the difference over the reference", () => {
  closeEach([relativeL2(Tensor.of([3, 4]), Tensor.of([0, 4]))], [0.75], 1e-12);
});

Deno.test("what cannot be measured is refused in a sentence", async () => {
  const small = Tensor.zeros([3, 8, 20]);
  await throwsSentence(
    () => ssim(small, small),
    "Cannot take the SSIM of 20x8 pixels: 11 a side were wanted at least.",
  );
  await throwsSentence(() => psnr(small, Tensor.zeros([3, 8, 8])), /^Cannot compare \[3, 8, 20\] with \[3, 8, 8\]/);
  await throwsSentence(() => frechetDistance(data.get("few").slice(0, 1), data.get("other")), /of 1 pictures/);
  await throwsSentence(() => diversity([Tensor.of([1])]), /^Cannot tell the diversity of 1 pictures/);
  await throwsSentence(() => cosine(Tensor.of([0]), Tensor.of([1])), /vector of zeros/);
});
