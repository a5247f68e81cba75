import { guidanceAt, guidanceEmbedding, guided, plan, timeIds } from "../../lib/diffusion/mod.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { close, equal, throwsSentence } from "../assert.ts";
import { readGolden } from "../goldens/read.ts";

const golden = readGolden("guidance.safetensors");

Deno.test("guidance goes from the negative prompt's output through the prompt's and beyond", () => {
  const [negative, positive] = [Tensor.of([1, 2]), Tensor.of([3, 2])];
  equal([...guided(negative, positive, 5).data], [11, 2]);
  equal([...guided(negative, positive, 1).data], [3, 2]);
});

Deno.test("guidance and its rescale are diffusers', picture by picture", () => {
  const [negative, positive] = [golden.get("negative"), golden.get("positive")];
  close(guided(negative, positive, 7.5).data, golden.get("guided").data, 1e-7);
  close(guided(negative, positive, 7.5, 0.7).data, golden.get("rescaled").data, 1e-6);
});

Deno.test("LCM's guidance embedding is diffusers'", () => {
  for (const scale of [1, 4.5, 8]) {
    // Angles of up to 7,000 radians in float32 are where diffusers' own rounding is.
    close(guidanceEmbedding(scale, 256).data, golden.get(`embedding-${scale}`).data, 2e-4);
  }
});

Deno.test("a guidance interval leaves the prompt alone outside of it", () => {
  const trajectory = plan({ steps: 4, spacing: "trailing", guidance: 6, guidanceInterval: { from: 5, to: 1 } });
  equal([0, 1, 2, 3].map((index) => guidanceAt(trajectory, index)), [1, 6, 6, 1]);
  equal(guidanceAt(plan({ steps: 4, guidance: 6 }), 0), 6);
});

Deno.test("a U-Net that takes its guidance as an input runs without the negative prompt", () => {
  const { guidance, embeddedGuidance } = plan({ recipe: "lcm-full", guidance: 6 });
  equal([guidance, embeddedGuidance], [0, 6]);
});

Deno.test("rescale and eta outside 0 to 1 are refused in one sentence", async () => {
  await throwsSentence(
    () => plan({ guidanceRescale: 2 }),
    /Cannot rescale guidance by 2: wanted is 0, not at all, to 1\./,
  );
  await throwsSentence(() => plan({ eta: -1 }), /Cannot run with eta -1: wanted is 0, no noise, to 1/);
});

Deno.test("time ids: height before width, the crop's top before its left", () => {
  const ids = timeIds({ width: 1024, height: 768 }, {
    originalSize: { width: 4096, height: 2048 },
    crop: { top: 5, left: 9 },
  });
  equal([...ids.data], [2048, 4096, 5, 9, 768, 1024]);
  equal([...timeIds({ width: 128, height: 64 }).data], [64, 128, 0, 0, 64, 128]);
});
