/** Published files told by their sha256, whatever they are called. */

import { inspect } from "fewstep";
import { inspectionText } from "fewstep/view/inspection.ts";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { equal, ok } from "../../assert.ts";
import { copyFolder, inFolder } from "../../files.ts";
import { goldenPath } from "../../goldens/read.ts";

const LCM = "a764e6859b6e04047cd761c08ff0cee96413a8e004c9f07707530cd776b19141";
const BASE_UNET = "357650fbfb3c7b4d94c1f5fd7664da819ad1ff5a839430484b4ec422d03f710a";

/** As the hub's cache keeps a file: under its hash, and a link with its name. */
async function cached(file: string, hash: string, link: string): Promise<void> {
  const blob = join(dirname(dirname(link)), "blobs", hash);
  await Deno.mkdir(dirname(blob), { recursive: true });
  await Deno.mkdir(dirname(link), { recursive: true });
  await Deno.rename(file, blob);
  await Deno.symlink(blob, link);
}

Deno.test("a renamed LoRA in the hub's cache is known by the name of its blob, and nothing is read", () =>
  inFolder(async (folder) => {
    const [copy, mine] = [join(folder, "a"), join(folder, "cache/snapshots/mine.safetensors")];
    await Deno.copyFile(goldenPath("lora-peft.safetensors"), copy);
    await cached(copy, LCM, mine);
    const { distillation, hashes, recipes } = await inspect(mine);
    const published = { repository: "latent-consistency/lcm-lora-sdxl", file: "pytorch_lora_weights.safetensors" };
    equal(hashes, [{ name: "mine.safetensors", sha256: LCM, published }]);
    equal(distillation, {
      family: "LCM-LoRA, 1 to 8 steps",
      certainty: "published hash",
      reason: "by its sha256, that of pytorch_lora_weights.safetensors of latent-consistency/lcm-lora-sdxl",
    });
    equal(recipes.map(({ recipe }) => recipe), ["lcm"]);
  }));

Deno.test("a folder's U-Net tells what the folder is, against a word in its name", () =>
  inFolder(async (folder) => {
    const model = join(folder, "my-turbo");
    await copyFolder(goldenPath("tiny-deep"), model);
    equal((await inspect(model)).distillation.certainty, "likely");
    const unet = join(model, "unet/diffusion_pytorch_model.safetensors");
    await cached(unet, BASE_UNET, unet);
    const found = await inspect(model);
    equal([found.distillation.family, found.distillation.certainty], ["SDXL base, not distilled", "published hash"]);
    const text = inspectionText(found);
    ok(text.includes(BASE_UNET), text);
  }));

Deno.test("hashes are computed when they are asked for; a file that nobody published stays unknown", async () => {
  const path = goldenPath("lora-peft.safetensors");
  equal((await inspect(path)).hashes, []);
  const { hashes, distillation } = await inspect(path, { hash: "computed" });
  const sha256 = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  equal(hashes, [{ name: "lora-peft.safetensors", sha256 }]);
  equal(distillation, (await inspect(path)).distillation);
  const { hashes: all } = await inspect(goldenPath("tiny-deep"), { hash: "computed" });
  equal(all.map(({ name }) => name.split("/")[0]), ["unet", "vae", "text_encoder", "text_encoder_2"]);
});
