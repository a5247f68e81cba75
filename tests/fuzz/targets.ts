/** What strangers' files are given to, and how each kind of file is made wrong. */

import { open } from "fewstep";
import { readComparison } from "fewstep/cli/comparison_file.ts";
import { cpu } from "fewstep/graph/lowering.ts";
import { buildClipText } from "fewstep/graph/clip.ts";
import { buildTinyDecoder } from "fewstep/graph/tiny_vae.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { buildVaeDecoder } from "fewstep/graph/vae.ts";
import { parseReference } from "fewstep/hub/reference.ts";
import { inspect } from "fewstep/model/inspect/inspect.ts";
import { parseProvenance } from "fewstep/model/provenance.ts";
import { openRecord } from "fewstep/model/record.ts";
import { reproduceRuns } from "fewstep/model/reproduce.ts";
import { parseSeeded } from "fewstep/model/request_json.ts";
import { Store } from "fewstep/sweep/store.ts";
import { openTokenizer } from "fewstep/text/tokenizer.ts";
import { readProvenance } from "fewstep/view/carry.ts";
import { readPicture } from "fewstep/view/picture.ts";
import { isTiny } from "fewstep/weights/architecture.ts";
import type { Contents } from "fewstep/weights/checkpoint.ts";
import { openLora } from "fewstep/weights/lora.ts";
import { openCheckpoint, openContents } from "fewstep/weights/open.ts";
import { openSafetensors, readTensor } from "fewstep/weights/safetensors.ts";
import { join } from "node:path";
import { copyFolder } from "../files.ts";
import { mutateBytes, mutateJson, mutatePng, mutateSafetensors, mutateText } from "./mutate.ts";
import type { Random } from "./random.ts";

const GOLDENS = new URL("../../data/goldens/", import.meta.url).pathname;
const COMPAT = new URL("../../data/compat/v1/", import.meta.url).pathname;
const TINY = join(GOLDENS, "tiny-deep");
const SHARDED = join(GOLDENS, "tiny-sharded");

export interface Target {
  readonly name: string;
  /** Makes the wrong files of a case in an empty folder. */
  make(random: Random, folder: string): Promise<void>;
  /** Gives them to the kit. Throws what the kit throws. */
  run(folder: string, random: Random): Promise<void>;
}

/** A folder whose files are links to a model's, but for those that are made wrong. */
async function linked(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await linked(join(from, name), join(to, name));
    else await Deno.symlink(join(from, name), join(to, name));
  }
}

type Mutate = (random: Random, bytes: Uint8Array) => Uint8Array;

const asText = (mutate: (random: Random, text: string) => string): Mutate => (random, bytes) =>
  new TextEncoder().encode(mutate(random, new TextDecoder().decode(bytes)));
const json: Mutate = asText((random, text) => mutateJson(random, text, ["../x", "model.safetensors"]));
const text: Mutate = asText(mutateText);

/** `file` of a copy of `model`, made wrong. */
function changed(model: string, file: string, mutate: Mutate): Target["make"] {
  const bytes = Deno.readFileSync(join(model, file));
  return async (random, folder) => {
    await linked(model, join(folder, "model"));
    const path = join(folder, "model", file);
    await Deno.remove(path);
    await Deno.writeFile(path, mutate(random, bytes));
  };
}

function alone(from: string, name: string, mutate: Mutate): Target["make"] {
  const bytes = Deno.readFileSync(from);
  return (random, folder) => Deno.writeFile(join(folder, name), mutate(random, bytes));
}

/** Every graph that the contents have parts for, as it would be given to the runtime. */
function build({ unet, vae, textEncoder, textEncoder2 }: Contents): void {
  const options = { lowering: cpu };
  if (unet) buildUnet(unet.architecture, unet.weights, options);
  if (vae && isTiny(vae.architecture)) buildTinyDecoder(vae.architecture, vae.weights, options);
  else if (vae && !isTiny(vae.architecture)) buildVaeDecoder(vae.architecture, vae.weights, options);
  for (const clip of [textEncoder, textEncoder2]) if (clip) buildClipText(clip.architecture, clip.weights, options);
}

/** Of the cases whose files the kit takes, one in so many is run to a picture: a load and a step take seconds. */
const RUN_ONE_IN = Number(Deno.env.get("FUZZ_RUN_ONE_IN") ?? 100);
const size = { width: 16, height: 16 };

async function openWhole(folder: string, random: Random): Promise<void> {
  const path = join(folder, "model");
  switch (random.below(3)) {
    case 0:
      return void await inspect(path);
    case 1:
      return build(await openContents(path));
  }
  await using model = await open(path, { warn: () => {} });
  model.plan({ steps: 2 });
  if (random.once(RUN_ONE_IN)) await model.generate({ prompt: "a", steps: 1, size, unguarded: true });
}

const configs = ["unet", "vae", "text_encoder", "text_encoder_2"].map((part) => `${part}/config.json`);
const weights = [
  ...["unet", "vae"].map((part) => `${part}/diffusion_pytorch_model.safetensors`),
  ...["text_encoder", "text_encoder_2"].map((part) => `${part}/model.safetensors`),
];
const loras = ["lora-peft", "lora-diffusers", "lora-peft-metadata", "lora-kohya-original", "lora-kohya-diffusers"];
const words = [
  "tokenizer/vocab.json",
  "tokenizer/merges.txt",
  "tokenizer/tokenizer_config.json",
  "tokenizer/special_tokens_map.json",
];
const PROMPTS = ["a gold fish", "", "🐟 ⅷ \u202e", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ".repeat(40)];

const provenance = await readProvenance(join(COMPAT, "export.png"));
const loraModel = openCheckpoint(TINY);

const COMPARISON = JSON.stringify({
  models: [{ name: "a", model: "x", loras: [{ path: "l", strength: 1 }], recipes: [{ recipe: "base", steps: 2 }] }],
  prompts: ["a", { prompt: "b", seed: 1 }],
  seeds: [1, "2"],
  size: { width: 16, height: 16 },
  quality: { reference: { model: "a", steps: 2 } },
});
const REFERENCES = [
  "org/name",
  "org/name@main:a/b.safetensors",
  "https://huggingface.co/org/name/blob/main/a.safetensors",
  "hf://org/name@refs%2Fpr%2F1/a",
];

export const targets: readonly Target[] = [
  ...[...configs, "model_index.json", "scheduler/scheduler_config.json"].map((file): Target => ({
    name: file,
    make: changed(TINY, file, json),
    run: openWhole,
  })),
  ...weights.map((file): Target => ({ name: file, make: changed(TINY, file, mutateSafetensors), run: openWhole })),
  ...words.map((file): Target => ({
    name: file,
    make: changed(TINY, file, file.endsWith("json") ? json : text),
    async run(folder) {
      const tokenizer = await openTokenizer(join(folder, "model/tokenizer"));
      for (const prompt of PROMPTS) tokenizer.encode(prompt);
    },
  })),
  {
    name: "an index of shards",
    make: changed(SHARDED, "unet/diffusion_pytorch_model.safetensors.index.json", json),
    run: openWhole,
  },
  {
    name: "a safetensors file",
    make: alone(join(GOLDENS, "guidance.safetensors"), "a.safetensors", mutateSafetensors),
    async run(folder) {
      const file = await openSafetensors(join(folder, "a.safetensors"));
      for (const name of file.tensors.keys()) await readTensor(file, name);
    },
  },
  ...["tiny-vae.safetensors", "lora-peft.safetensors"].map((file): Target => ({
    name: `${file} as a model`,
    make: alone(join(GOLDENS, file), "a.safetensors", mutateSafetensors),
    async run(folder) {
      await inspect(join(folder, "a.safetensors"));
      build(await openContents(join(folder, "a.safetensors")));
    },
  })),
  ...loras.map((name): Target => ({
    name,
    make: alone(join(GOLDENS, `${name}.safetensors`), "a.safetensors", mutateSafetensors),
    async run(folder) {
      const checkpoint = await loraModel;
      const { modules } = await openLora(join(folder, "a.safetensors"), checkpoint);
      const { architecture, weights } = checkpoint.unet;
      buildUnet(architecture, weights, { lowering: cpu, adapters: [{ strength: "s", modules: modules.unet }] });
    },
  })),
  {
    name: "a record",
    make: alone(
      join(COMPAT, "record.safetensors"),
      "a.safetensors",
      (random, bytes) => random.once(2) ? mutateMetadata(random, bytes) : mutateSafetensors(random, bytes),
    ),
    async run(folder) {
      const record = await openRecord(join(folder, "a.safetensors"));
      await using model = await open(TINY);
      await model.resume(record);
    },
  },
  {
    name: "a picture",
    make: alone(join(COMPAT, "export.png"), "a.png", mutatePng),
    async run(folder) {
      await readPicture(join(folder, "a.png"));
      await readProvenance(join(folder, "a.png"));
    },
  },
  {
    name: "a WebP",
    make: alone(join(COMPAT, "export.webp"), "a.webp", mutateBytes),
    async run(folder) {
      await readPicture(join(folder, "a.webp"));
      await readProvenance(join(folder, "a.webp"));
    },
  },
  {
    name: "an export's provenance",
    make: (random, folder) =>
      Deno.writeTextFile(
        join(folder, "a.json"),
        mutateJson(random, JSON.stringify(provenance), ["/etc/passwd", "../../x"]),
      ),
    async run(folder, random) {
      const told = parseProvenance(await Deno.readTextFile(join(folder, "a.json")), "a.json");
      await using model = await open(TINY);
      for (const { request } of told.runs) if (!request.noise && !request.image) model.plan(parseSeeded(request));
      if (random.once(RUN_ONE_IN)) await reproduceRuns(told);
    },
  },
  {
    name: "a store",
    async make(random, folder) {
      await copyFolder(join(COMPAT, "store"), join(folder, "store"));
      const path = join(folder, "store/store.sqlite");
      await Deno.writeFile(path, mutateBytes(random, await Deno.readFile(path)));
    },
    async run(folder) {
      using store = await Store.open(join(folder, "store"));
      await store.finished([STORED]);
      store.fact("a", NOTHING);
      store.feature("a", "b");
    },
  },
  {
    name: "a comparison",
    make: (random, folder) =>
      Deno.writeTextFile(join(folder, "a.json"), mutateJson(random, COMPARISON, ["base", "lcm"])),
    run: async (folder) => void await readComparison(join(folder, "a.json")),
  },
  {
    name: "a reference",
    make: (random, folder) => Deno.writeTextFile(join(folder, "a"), mutateText(random, random.pick(REFERENCES))),
    run: async (folder) => void parseReference(await Deno.readTextFile(join(folder, "a"))),
  },
];

/** The JSON in a record's metadata, and nothing else of the file. */
function mutateMetadata(random: Random, bytes: Uint8Array): Uint8Array {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  header.__metadata__.fewstep = mutateJson(random, header.__metadata__.fewstep, ["euler", "lcm", "dpmpp-2m", "heun"]);
  const json = new TextEncoder().encode(JSON.stringify(header));
  const whole = new Uint8Array(8 + json.length + bytes.length - 8 - length);
  new DataView(whole.buffer).setBigUint64(0, BigInt(json.length), true);
  whole.set(json, 8);
  whole.set(bytes.subarray(8 + length), 8 + json.length);
  return whole;
}

const [STORED] = [...Deno.readDirSync(join(COMPAT, "store/pictures"))].map(({ name }) => name.replace(".png", ""));
const NOTHING = (await import("valibot")).unknown();
