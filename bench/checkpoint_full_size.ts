/**
 * SDXL as one published file at full size (6.9 GB, every published name; sparse, so it reads as zeros), and a rank-64
 * LoRA of ByteDance's Lightning beside it.
 *
 * - From path to all four graphs: ≤ 1 s and ≤ 16 MB on disk. With the LoRA as a branch: ≤ 0.5 s more.
 * - Baking both into a file: ≤ 1 GB of memory above the start, at the speed of the disk. What the disk can do is
 *   measured in turn with it: as many bytes, written and synced with nothing to compute.
 *
 * Wants 14 GB in the temporary folder.
 *
 * Command: MALLOC_MMAP_THRESHOLD_=65536 deno run -A bench/checkpoint_full_size.ts
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
import { isTiny } from "../lib/weights/architecture.ts";
import { writeWhole } from "../lib/weights/files.ts";
import { publishedTensors, writeSparse } from "../tests/synthetic.ts";
import { report, spread, time } from "./harness.ts";

const ROUNDS = 7;
const BAKES = 1;

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

  const out = join(folder, "baked.safetensors");
  const block = new Uint8Array(64 * 2 ** 20);
  const bakes: { seconds: number; aboveStart: number }[] = [];
  const disk: number[] = [];
  for (let round = 0; round < BAKES; round++) {
    await using model = await open(single, { loras: [lora] });
    const { resident } = readMemory();
    await forget();
    const seconds = await time(() => bake(model, out)) / 1000;
    bakes.push({ seconds, aboveStart: readMemory().peak - resident });
    await Deno.remove(out);
    const write = async (write: (bytes: Uint8Array) => Promise<void>) => {
      for (let left = bytes; left > 0; left -= block.length) {
        await write(block.subarray(0, Math.min(left, block.length)));
      }
    };
    disk.push(await time(() => writeWhole(out, write)) / 1000);
    await Deno.remove(out);
  }
  console.error(bakes, disk);
  const [baked, written] = [spread(bakes.map(({ seconds }) => seconds)), spread(disk)];
  await report("checkpoint_full_size", "MALLOC_MMAP_THRESHOLD_=65536 deno run -A bench/checkpoint_full_size.ts", {
    bytes,
    openMilliseconds: { first: alone[0], ...spread(alone) },
    openWithLoraMilliseconds: { first: beside[0], ...spread(beside) },
    loraAddsMilliseconds: { first: beside[0] - alone[0], fastest: spread(beside).min - spread(alone).min },
    graphBytes: { alone: bytesAlone, withLora: bytesBeside },
    bakeSeconds: baked,
    diskSeconds: written,
    bakeToDisk: baked.min / written.min,
    bakeMegabytesPerSecond: bytes / baked.min / 1e6,
    peakAboveStartBytes: Math.max(...bakes.map(({ aboveStart }) => aboveStart)),
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
