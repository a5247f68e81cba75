import { publishedFamily, publishedReferences } from "fewstep";
import { dirname, join } from "node:path";
import { equal, ok } from "../../assert.ts";
import { inFolder } from "../../files.ts";

const COMMIT = "0".repeat(40);

/** A file in the hub's cache, as if it had been pulled. */
async function cached(cache: string, reference: string): Promise<void> {
  const [repo, file = "unet.safetensors"] = reference.split(":");
  const folder = join(cache, `models--${repo.replace("/", "--")}`);
  await Deno.mkdir(join(folder, "refs"), { recursive: true });
  await Deno.writeTextFile(join(folder, "refs", "main"), COMMIT);
  const path = join(folder, "snapshots", COMMIT, file);
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, "");
}

Deno.test("the published family is the article's, by exact names", () => {
  const lightning = (name: string) => `ByteDance/SDXL-Lightning:sdxl_lightning_${name}.safetensors`;
  equal(
    [...publishedReferences].sort(),
    [
      ...["1step_unet_x0", "1step_x0", "2step", "2step_lora", "2step_unet", "4step", "4step_lora", "4step_unet"],
      ...["8step", "8step_lora", "8step_unet"],
    ].map(lightning).concat([
      "RunDiffusion/Juggernaut-XL-v9:Juggernaut-XL_v9_RunDiffusionPhoto_v2.safetensors",
      "latent-consistency/lcm-lora-sdxl:pytorch_lora_weights.safetensors",
      "stabilityai/sdxl-turbo",
      "stabilityai/stable-diffusion-xl-base-1.0",
    ]).sort(),
  );
});

Deno.test("with nothing pulled everything is missing, each with the command that brings it", () =>
  inFolder(async (cache) => {
    const { models, missing } = await publishedFamily({ cache, env: () => undefined });
    equal(models, []);
    equal(missing.length, 22);
    const [{ model, why: base }] = missing;
    equal(model, "base");
    ok(base.startsWith("Cannot open stabilityai/stable-diffusion-xl-base-1.0: it is not in the cache"), base);
    ok(base.endsWith("deno task pull stabilityai/stable-diffusion-xl-base-1.0 brings it."), base);
  }));

Deno.test("what was pulled is listed, by references that open takes", () =>
  inFolder(async (cache) => {
    const files = publishedReferences.filter((reference) => /SDXL-Lightning:.*_[48]step\./.test(reference));
    for (const reference of files) await cached(cache, reference);
    const { models, sections } = await publishedFamily({ cache, env: () => undefined });
    equal(models.map(({ name, recipe }) => [name, recipe]), [
      ["Lightning full", "lightning-8step"],
      ["Lightning full", "lightning-4step"],
      ["Lightning, ComfyUI", "comfy-lightning-8step"],
      ["Lightning, ComfyUI", "comfy-lightning-4step"],
    ]);
    equal(sections.lightning.map(({ model }) => model), files.sort().reverse());
  }));
