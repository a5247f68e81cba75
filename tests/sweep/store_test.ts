import { Store } from "fewstep/sweep/store.ts";
import { Tensor } from "fewstep";
import { planComparison } from "fewstep/sweep/plan.ts";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import * as v from "valibot";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { TINY } from "./tiny.ts";

const MADE = {
  secondsText: null,
  secondsUnet: 1,
  secondsPerStep: 0.5,
  secondsVae: 0.25,
  secondsTotal: 2,
  memoryBaseline: 1,
  memoryResident: 2 ** 40,
  memoryPeak: 2 ** 40 + 1,
  warm: true,
  versions: "fewstep",
  machine: "this",
  made: "2026-01-01T00:00:00.000Z",
  png: new TextEncoder().encode("a picture"),
  lastLatent: Tensor.of([1, 2, 3, 4], [1, 4, 1, 1]),
};

const planned = async () =>
  (await planComparison({ models: [{ name: "x", model: TINY }], prompts: ["x"], size: { width: 32, height: 32 } }))
    .cells[0];

Deno.test("a cell comes out of the store as it went in, after the store was closed", () =>
  inFolder(async (folder) => {
    const { key, content } = await planned();
    {
      using store = await Store.open(folder);
      await store.put(key, content, MADE);
    }
    using store = await Store.open(folder);
    const result = (await store.finished([key, "0".repeat(64)])).get(key);
    const { png, lastLatent: _, ...measured } = MADE;
    if (result === undefined) throw new Error("the cell is not there");
    const { picture, latent, latentDigest, record, ...rest } = result;
    equal(rest, measured);
    equal(record, null);
    equal(await Deno.readFile(picture), png);
    equal(latent.includes(latentDigest), true);
    equal((await store.finished([key], { records: "all" })).size, 0, "no record was kept");
  }));

Deno.test("of two that stored one cell the first stays; a record is added; a lost file makes it unfinished", () =>
  inFolder(async (folder) => {
    const { key, content } = await planned();
    using one = await Store.open(folder);
    using two = await Store.open(folder);
    await one.put(key, content, MADE);
    const writeRecord = (path: string) => Deno.writeTextFile(path, "a run");
    const again = await two.put(key, content, { ...MADE, secondsTotal: 99, writeRecord });
    equal(again.secondsTotal, 2);
    equal(await Deno.readTextFile(again.record ?? ""), "a run");
    equal((await one.finished([key], { records: "all" })).get(key), again);
    await Deno.remove(again.picture);
    equal((await one.finished([key])).size, 0);
    await one.put(key, content, MADE);
    equal((await two.finished([key])).size, 1);
  }));

Deno.test("facts, features and digests are remembered; a changed file is read anew", () =>
  inFolder(async (folder) => {
    using store = await Store.open(folder);
    store.setFact("a", { value: 1 });
    equal(store.fact("a", v.object({ value: v.number() })), { value: 1 });
    equal(store.fact("a", v.object({ value: v.string() })), undefined);
    equal(store.fact("b", v.number()), undefined);
    store.setFeature("clip", "x", Tensor.of([1, 0.5]));
    equal(store.feature("clip", "x"), Tensor.of([1, 0.5]));
    equal(store.feature("other", "x"), undefined);
    const file = join(folder, "weights");
    await Deno.writeTextFile(file, "one");
    const digest = await store.digest(file);
    equal(await store.digest(file), digest);
    await Deno.writeTextFile(file, "three");
    ok(await store.digest(file) !== digest, "another content, another digest");
  }));

Deno.test("what is not a store of this version is refused in a sentence", () =>
  inFolder(async (folder) => {
    const path = join(folder, "store.sqlite");
    (await Store.open(folder)).close();
    let database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 7");
    database.close();
    await throwsSentence(
      () => Store.open(folder),
      /store\.sqlite: it is of version 7, this kit reads version 1\. Name another/,
    );
    await Deno.remove(path);
    database = new DatabaseSync(path);
    database.exec("CREATE TABLE photos (name TEXT)");
    database.close();
    await throwsSentence(() => Store.open(folder), /it is another program's database\. Name an empty folder\.$/);
    await Deno.writeTextFile(path, "hello, this is text of some length, and no database at all");
    await throwsSentence(() => Store.open(folder), /it is not an SQLite database\. Name an empty folder\.$/);
    await throwsSentence(() => Store.open(join(path, "below")), /^Cannot write .*a folder was wanted\.$/);
  }));

Deno.test("temporary files of a process that was killed long ago are removed, new ones stay", () =>
  inFolder(async (folder) => {
    (await Store.open(folder)).close();
    const [old, young] = ["old", "young"].map((name) => join(folder, "pictures", `.${name}.incomplete`));
    for (const path of [old, young]) await Deno.writeTextFile(path, "");
    await Deno.utime(old, 0, 0);
    (await Store.open(folder)).close();
    const left = [...Deno.readDirSync(join(folder, "pictures"))].map(({ name }) => name);
    equal(left, [".young.incomplete"]);
  }));
