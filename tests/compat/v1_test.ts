/** Files of version 1 stay readable; a version that the kit does not know is refused with what to do. */

import { open, openRecord } from "fewstep";
import { latentDigest, parseProvenance } from "fewstep/model/provenance.ts";
import { placesOf, reproduceRuns } from "fewstep/model/reproduce.ts";
import { Store } from "fewstep/sweep/store.ts";
import { readProvenance } from "fewstep/view/carry.ts";
import { readPicture } from "fewstep/view/picture.ts";
import { openSafetensors, writeSafetensors } from "fewstep/weights/safetensors.ts";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { copyFolder, inFolder } from "../files.ts";
import { MODEL } from "./make.ts";

const V1 = new URL("../../data/compat/v1/", import.meta.url).pathname;

Deno.test("a record of version 1 is opened and gone on with", async () => {
  const record = await openRecord(join(V1, "record.safetensors"));
  equal([record.request.prompt, record.latents.shape, record.image?.shape], ["gold fish", [3, 1, 4, 2, 2], [
    1,
    3,
    16,
    16,
  ]]);
  await using model = await open(MODEL);
  const step = await model.resume(record, { index: 1 });
  equal([step.index, step.count], [1, 2]);
});

for (const file of ["export.png", "export.webp"]) {
  Deno.test(`${file} of version 1 says what made it`, async () => {
    const { version, models, runs } = await readProvenance(join(V1, file));
    equal([version, models[0].checkpoint, runs[0].request.seed], [1, MODEL, ["7"]]);
    equal((await readPicture(join(V1, file))).shape, [1, 3, 16, 16]);
  });
}

Deno.test("a store of version 1 has its cell", () =>
  inFolder(async (folder) => {
    await copyFolder(join(V1, "store"), folder);
    using database = new DatabaseSync(join(folder, "store.sqlite"));
    const key = String(database.prepare("SELECT key FROM cells").get()?.key);
    using store = await Store.open(folder);
    const found = (await store.finished([key])).get(key);
    ok(found !== undefined && found.picture.endsWith(".png"), "the cell is not found");
  }));

Deno.test("another version is refused: a record, an export, a store", () =>
  inFolder(async (folder) => {
    const file = await openSafetensors(join(V1, "record.safetensors"));
    const metadata = JSON.parse(file.metadata.get("fewstep") ?? "");
    const path = join(folder, "record.safetensors");
    await writeSafetensors(path, new Map(), new Map([["fewstep", JSON.stringify({ ...metadata, version: 2 })]]));
    await throwsSentence(() => openRecord(path), /"version" is 2, wanted is 1\. This kit reads version 1: use the kit/);
    const provenance = await readProvenance(join(V1, "export.png"));
    await throwsSentence(
      () => parseProvenance(JSON.stringify({ ...provenance, version: 9 }), "a.png"),
      /"version" is 9, wanted is 1\. This kit reads version 1: use the kit/,
    );
    await copyFolder(join(V1, "store"), join(folder, "store"));
    using database = new DatabaseSync(join(folder, "store/store.sqlite"));
    database.exec("PRAGMA user_version = 7");
    await throwsSentence(
      () => Store.open(join(folder, "store")),
      /of version 7, this kit reads version 1\. Name another/,
    );
  }));

Deno.test("reproduce: what an export names is looked for in the working folder, the user's, and on the hub alone", async () => {
  equal(placesOf("models/a", undefined), ["models/a"]);
  equal(placesOf("models/a", "/mine"), ["models/a", "/mine/models/a", "/mine/a"]);
  equal(placesOf("/etc/secret/a", "/mine"), ["/mine/a"]);
  equal(placesOf("org/name@v1:a.safetensors", undefined), ["org/name@v1:a.safetensors"]);
  for (
    const path of [
      "/etc/passwd",
      "../../a",
      "C:\\a",
      "\\\\host\\share\\a",
      "/dev/zero",
      "a/../../b",
      "https://evil.example/a/b",
    ]
  ) {
    await throwsSentence(
      () => placesOf(path, undefined),
      /^it names .* neither in the working folder nor on the hub\.$/,
    );
  }
  const told = await readProvenance(join(V1, "export.png"));
  const absolute = { ...told, models: [{ ...told.models[0], checkpoint: join(Deno.cwd(), MODEL) }] };
  await throwsSentence(() => reproduceRuns(absolute), /^Cannot make this again: it names .* Say where the models lie/);
  const [made] = await reproduceRuns(absolute, { folder: join(MODEL, "..") });
  equal(made.image.shape, [1, 3, 16, 16]);
});

Deno.test("a run of version 1 is made again", async () => {
  await using model = await open(MODEL);
  const { step } = await model.generate({
    prompt: "gold fish",
    seed: 7,
    steps: 2,
    guidance: 2,
    size: { width: 16, height: 16 },
  });
  const record = await openRecord(join(V1, "record.safetensors"));
  const last = record.latents.at(2);
  // Bits are this processor's; the picture is everybody's.
  ok(last.data.every((value, i) => Math.abs(value - step.latent.data[i]) < 1e-3), await latentDigest(step));
});
