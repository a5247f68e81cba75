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

Deno.test("a full checkpoint is made once, again when a source is newer, and never where one is published", () =>
  withFamily(["lightning_2step_unet", "lightning_8step_unet", "lightning_8step"], async (folder) => {
    const full = async () => {
      const { models, notes } = await pocketFamily({ folder, baked: `${folder}/baked` });
      const paths = models.filter(({ name }) => name === "Lightning full").map(({ model }) => model);
      equal(paths[0], `${folder}/lightning_8step.safetensors`);
      return { path: paths[1], changed: (await Deno.stat(paths[1])).mtime?.getTime() ?? 0, notes };
    };
    const first = await full();
    equal([first.path, first.notes], [`${folder}/baked/lightning_2step.safetensors`, []]);
    equal(await full(), first);
    await Deno.utime(`${folder}/lightning_2step_unet.safetensors`, new Date(), new Date());
    ok((await full()).changed > first.changed, "made again");

    await editJson(`${folder}/base/vae/config.json`, { scaling_factor: 0.5 }); // no single file could say so
    const departed = await full();
    equal([departed.path, departed.notes.length], [`${folder}/baked/lightning_2step`, 1]);
    equal(await full(), departed);
  }));

Deno.test("a folder without a base is no family", () =>
  inFolder((folder) =>
    throwsSentence(
      () => pocketFamily({ folder }),
      `Cannot list the pocket family in ${folder}: it has no base. Is it the right folder?`,
    )
  ));
