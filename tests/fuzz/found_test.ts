/** What the fuzzer found, each as small as it goes. */

import { openContents } from "fewstep/weights/open.ts";
import { parseProvenance } from "fewstep/model/provenance.ts";
import { openSafetensors } from "fewstep/weights/safetensors.ts";
import { Store } from "fewstep/sweep/store.ts";
import { join } from "node:path";
import { throwsSentence } from "../assert.ts";
import { copyFolder, inFolder, writeRaw } from "../files.ts";

Deno.test("found: a key that is missing is called missing, not undefined", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "model_index.json"), "{}");
    await throwsSentence(() => openContents(folder), /model_index\.json: "_class_name" is missing\.$/);
    await throwsSentence(() => parseProvenance('{"version":1}', "a.png"), /in its provenance "software" is missing\.$/);
    await writeRaw(join(folder, "a.safetensors"), '{"w":{"dtype":"F32","data_offsets":[0,4]}}', 4);
    await throwsSentence(() => openSafetensors(join(folder, "a.safetensors")), /tensor "w" has shape nothing; wanted/);
  }));

Deno.test("found: a store with a damaged page is refused when it is opened", () =>
  inFolder(async (folder) => {
    await copyFolder(new URL("../../data/compat/v1/store", import.meta.url).pathname, folder);
    const path = join(folder, "store.sqlite");
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.fill(0xff, 3 * 4096, 3 * 4096 + 8)); // the head of the fourth page
    await throwsSentence(
      () => Store.open(folder),
      /as a store: it is a damaged SQLite database\. Put a copy of it back/,
    );
  }));
