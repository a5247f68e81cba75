/**
 * Made `data/compat/v1` once, with the kit's first versions of records, stores and exports. It is not run again: what
 * these files hold is what people have. A new version of a layout gets a folder of its own beside it.
 *
 *     deno run -A tests/compat/make.ts FOLDER
 */

import { compare, open, saveRecord } from "fewstep";
import { provenanceOf } from "fewstep/model/provenance.ts";
import { savePicture } from "fewstep/view/picture.ts";
import { join } from "node:path";

export const MODEL = "data/goldens/tiny-deep";
const size = { width: 16, height: 16 };

if (import.meta.main) {
  const [folder] = Deno.args;
  await Deno.mkdir(folder, { recursive: true });
  await using model = await open(MODEL);
  const { step, image } = await model.generate({ prompt: "gold fish", seed: 7, steps: 2, guidance: 2, size });
  await saveRecord(join(folder, "record.safetensors"), { model, step, image });
  const provenance = await provenanceOf({ model, step, picture: 0 });
  for (const ending of ["png", "webp"]) await savePicture(image, join(folder, `export.${ending}`), { provenance });
  await compare({
    models: [{ name: "deep", model: MODEL, recipes: [{ recipe: "base", steps: 1, guidance: 0 }] }],
    prompts: ["gold fish"],
    seeds: [7],
    size,
    store: join(folder, "store"),
    onProgress: () => {},
  });
}
