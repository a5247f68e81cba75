import { pocketFamily } from "fewstep";
import { equal, ok, throwsSentence } from "../../assert.ts";
import { copyFolder, editJson, inFolder } from "../../files.ts";
import { FILES, FOLDER } from "../../layouts.ts";

const UNET = `${FOLDER}/${FILES.unet}`;

/** A family of tiny models in a folder, some of its files there. */
async function withFamily(names: readonly string[], body: (folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    await copyFolder(FOLDER, `${folder}/base`);
    for (const name of names) await Deno.copyFile(UNET, `${folder}/${name}.safetensors`);
    await body(folder);
  });
}

Deno.test("the pocket family lists what is there by the article's roles, and says what is not", () =>
  withFamily(
    ["lightning_4step_unet", "lightning_1step_unet_x0", "lightning_8step_lora", "turbo_unet"],
    async (folder) => {
      const { models, sections, missing, clip } = await pocketFamily({ folder, baked: `${folder}/baked` });
      equal(models.map(({ name, recipe, recipes }) => [name, recipe ?? recipes?.length]), [
        ["base", 1],
        ["Lightning full", "lightning-4step"],
        ["Lightning full", "lightning-1step"],
        ["Lightning U-Net", "lightning-4step"],
        ["Lightning U-Net", "lightning-1step"],
        ["Lightning LoRA", "lightning-8step"],
        ["Turbo", 3],
        ["Lightning, ComfyUI", "comfy-lightning-4step"],
        ["Lightning, ComfyUI", "comfy-lightning-1step"],
      ]);
      equal(sections.custom, []);
      equal(sections.turbo[0].size, { width: 64, height: 64 });
      equal(sections.lightning.at(-1)?.loraMode, "fuse");
      equal(clip, undefined);
      equal(models.length + missing.length, 22, "a model in several steps is one entry");
      equal(missing.filter(({ section }) => section === "custom").map(({ model, why }) => `${model}. ${why}`), [
        `custom. There is no ${folder}/custom.safetensors.`,
        ...[8, 4, 2].map((steps) => `custom + LoRA in ${steps} steps. There is no ${folder}/custom.safetensors.`),
      ]);
    },
  ));

Deno.test("a folder without a base is no family", () =>
  inFolder((folder) =>
    throwsSentence(
      () => pocketFamily({ folder }),
      `Cannot list the pocket family in ${folder}: it has no base. Is it the right folder?`,
    )
  ));
