/**
 * SDXL as one published file at full size (6.9 GB, every published name; sparse, so it reads as zeros), and a rank-64
 * LoRA of ByteDance's Lightning beside it.
 *
 * - From path to all four graphs: ≤ 1 s and ≤ 16 MB on disk. With the LoRA as a branch: ≤ 0.5 s more.
 * - Baking both into a file: ≤ 1 GB of memory above the start, at the speed of the disk. What the disk can do is
 *   measured in turn with it: as many bytes, written and synced with nothing to compute.
 *
 * The argument ends the baking after so many seconds, within the U-Net, whose layers the LoRA changes. Without it, it
 * wants 7 GB in the temporary folder.
 *
 * Command: MALLOC_MMAP_THRESHOLD_=65536 deno run -A bench/checkpoint_full_size.ts 60
 */

import { join } from "node:path";
import { buildClipText } from "../lib/graph/clip.ts";
import { cpu } from "../lib/graph/lowering.ts";
import { buildUnet } from "../lib/graph/unet.ts";
import { buildVaeDecoder } from "../lib/graph/vae.ts";
import { readMemory } from "../lib/measure/memory.ts";
import { bake } from "../lib/model/bake.ts";
import { Loras } from "../lib/model/loras.ts";
import { open } from "../lib/model/open.ts";
import { sizeOf } from "../lib/tensor/tensor.ts";
import { isTiny } from "../lib/weights/architecture.ts";
import { kindOf, writeWhole } from "../lib/weights/files.ts";
import { publishedTensors, writeSparse } from "../tests/synthetic.ts";
import { report, spread, time } from "./harness.ts";

const ROUNDS = 7;

/** Lets the peak begin anew. Linux only. */
const forget = (): Promise<void> => Deno.writeTextFile("/proc/self/clear_refs", "5");

const folder = await Deno.makeTempDir();
try {
  const [single, lora] = [join(folder, "sd_xl_base_1.0.safetensors"), join(folder, "lora.safetensors")];
  const published = await publishedTensors();
  await writeSparse(single, published["single-original"]);
  await writeSparse(lora, published.lora);
  const { size: bytes } = await Deno.stat(single);

  let graphBytes = 0;
  const openAll = async (loras: readonly string[]) => {
    await using model = await open(single, { loras });
    const { unet, vae, textEncoder, textEncoder2 } = model.checkpoint;
    if (isTiny(vae.architecture)) throw new Error("SDXL's own VAE was wanted.");
    const adapters = new Loras(model.loras, "branch").adapters("unet");
    const networks = [
      buildUnet(unet.architecture, unet.weights, { lowering: cpu, adapters }),
      buildVaeDecoder(vae.architecture, vae.weights, { lowering: cpu }),
      buildClipText(textEncoder.architecture, textEncoder.weights, { lowering: cpu }),
      buildClipText(textEncoder2.architecture, textEncoder2.weights, { lowering: cpu }),
    ];
    graphBytes = networks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  };
  const [alone, beside]: [number[], number[]] = [[], []];
  let [bytesAlone, bytesBeside] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await time(() => openAll([])));
    bytesAlone = graphBytes;
    beside.push(await time(() => openAll([lora])));
    bytesBeside = graphBytes;
  }

  const limit = Number(Deno.args[0] ?? Infinity);
  const sizes = [...published["single-original"].values()].map((shape) => 2 * sizeOf(shape));
  const out = join(folder, "baked.safetensors");
  await using model = await open(single, { loras: [lora] });
  const { resident } = readMemory();
  await forget();
  const stop = new AbortController();
  const enough = new Error("enough");
  const started = performance.now();
  let [count, seconds, peak] = [0, 0, 0];
  const onProgress = (written: number) => {
    [count, seconds, peak] = [written, (performance.now() - started) / 1000, readMemory().peak];
    if (seconds > limit) stop.abort(enough);
  };
  await bake(model, out, { signal: stop.signal, onProgress }).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  if (await kindOf(out) === "file") await Deno.remove(out);
  const baked = sizes.slice(0, count).reduce((sum, size) => sum + size, 0);
  const block = new Uint8Array(64 * 2 ** 20);
  const written = await time(() =>
    writeWhole(out, async (write) => {
      for (let left = baked; left > 0; left -= block.length) {
        await write(block.subarray(0, Math.min(left, block.length)));
      }
    })
  ) / 1000;
  await report("checkpoint_full_size", "MALLOC_MMAP_THRESHOLD_=65536 deno run -A bench/checkpoint_full_size.ts 60", {
    bytes,
    openMilliseconds: { first: alone[0], ...spread(alone) },
    openWithLoraMilliseconds: { first: beside[0], ...spread(beside) },
    loraAddsMilliseconds: { first: beside[0] - alone[0], fastest: spread(beside).min - spread(alone).min },
    graphBytes: { alone: bytesAlone, withLora: bytesBeside },
    bake: { bytes: baked, tensors: count, seconds, megabytesPerSecond: baked / seconds / 1e6 },
    disk: { bytes: baked, seconds: written, megabytesPerSecond: baked / written / 1e6 },
    peakAboveStartBytes: peak - resident,
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
