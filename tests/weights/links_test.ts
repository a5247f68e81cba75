/** Links that the user made are followed, as the hub's own cache consists of them; graphs name only files that were opened. */

import { fromBinary } from "@bufbuild/protobuf";
import { open } from "fewstep";
import { cpu } from "fewstep/graph/lowering.ts";
import { ModelProtoSchema } from "fewstep/graph/onnx/onnx_pb.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { openCheckpoint } from "fewstep/weights/open.ts";
import { join, relative } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { copyFolder, inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

const ignore = Deno.build.os === "windows"; // wants a privilege for links
const size = { width: 16, height: 16 };
const weights = "unet/diffusion_pytorch_model.safetensors";

/** The same tree with every file in blobs/ and a relative link to it in its place, as huggingface_hub lays them out. */
async function asCache(from: string, root: string): Promise<string> {
  const snapshot = join(root, "models--org--name/snapshots", "0".repeat(40));
  const blobs = join(root, "models--org--name/blobs");
  await Deno.mkdir(blobs, { recursive: true });
  let count = 0;
  const walk = async (folder: string) => {
    await Deno.mkdir(join(snapshot, folder), { recursive: true });
    for await (const { name, isDirectory } of Deno.readDir(join(from, folder))) {
      const path = join(folder, name);
      if (isDirectory) {
        await walk(path);
        continue;
      }
      const blob = join(blobs, `${count++}`);
      await Deno.copyFile(join(from, path), blob);
      await Deno.symlink(relative(join(snapshot, folder), blob), join(snapshot, path));
    }
  };
  await walk("");
  return snapshot;
}

Deno.test({
  name: "a snapshot of the hub's cache, all links, is run",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      await using model = await open(await asCache(goldenPath("tiny-deep"), folder));
      const { image } = await model.generate({ prompt: "a", steps: 1, guidance: 0, size });
      equal(image.shape, [1, 3, 16, 16]);
    }),
});

Deno.test({
  name: "a weight file and a part's folder that the user linked from elsewhere are run",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const [model, elsewhere] = [join(folder, "model"), join(folder, "elsewhere")];
      await copyFolder(goldenPath("tiny-deep"), model);
      await copyFolder(goldenPath("tiny-deep"), elsewhere);
      await Deno.remove(join(model, weights));
      await Deno.symlink(join(elsewhere, weights), join(model, weights));
      await Deno.remove(join(model, "vae"), { recursive: true });
      await Deno.symlink(join(elsewhere, "vae"), join(model, "vae"));
      await using opened = await open(model);
      equal((await opened.generate({ prompt: "a", steps: 1, guidance: 0, size })).image.shape, [1, 3, 16, 16]);
    }),
});

Deno.test({
  name: "links in a circle and to nothing are refused in a sentence",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const model = join(folder, "model");
      await copyFolder(goldenPath("tiny-deep"), model);
      await Deno.remove(join(model, weights));
      await Deno.symlink("diffusion_pytorch_model.safetensors", join(model, weights));
      await throwsSentence(() => open(model), /links lead round in a circle|no weights in/);
      await Deno.remove(join(model, weights));
      await Deno.symlink(join(folder, "nothing"), join(model, weights));
      await throwsSentence(() => open(model), /no weights in .*Looked for/);
    }),
});

Deno.test("a graph's external data lies in the files that were opened, inside of their bytes", async () => {
  const { unet } = await openCheckpoint(goldenPath("tiny-sharded"));
  const network = buildUnet(unet.architecture, unet.weights, { lowering: cpu });
  const files = new Map(unet.weights.files.map(({ path, byteLength }) => [path, byteLength]));
  ok(files.size > 1, "a sharded model has several files");
  let count = 0;
  for (const { externalData } of fromBinary(ModelProtoSchema, network.bytes).graph?.initializer ?? []) {
    if (externalData.length === 0) continue;
    const said = new Map(externalData.map(({ key, value }) => [key, value]));
    const bytes = files.get(join(network.root, said.get("location") ?? ""));
    ok(bytes !== undefined, `${said.get("location")} was not opened`);
    ok(Number(said.get("offset")) + Number(said.get("length")) <= (bytes ?? 0), "it lies beyond the file's end");
    count++;
  }
  ok(count > 100, `${count} tensors`);
});
