/**
 * SDXL as one published file at full size (6.9 GB, every published name; sparse, so it reads as zeros), and a rank-64
 * LoRA of ByteDance's Lightning beside it.
 *
 * - From path to all four graphs: ≤ 1 s and ≤ 16 MB on disk. With the LoRA as a branch: ≤ 0.5 s more.
 * - Baking it into a file, alone and with the LoRA: ≤ 1 GB of memory above the start, at the speed of the disk, which is
 *   a plain copy: as many bytes, read, written and synced with nothing to compute. The three in turn, the least of each.
 *   A busy machine stretches seconds: those of the processor, all threads together, tell what the work itself costs.
 *   Each begins after some seconds of rest: a virtual machine gives what is free back to its host meanwhile, and pays for
 *   each page that it takes again; what follows at once on the end of another would have it for nothing.
 *
 * The argument is after how many gigabytes a baking ends, within the U-Net, whose layers the LoRA changes; neither it nor
 * the copy is synced then. Without it, it wants 14 GB in the temporary folder.
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
import { sizeOf } from "../lib/tensor/tensor.ts";
import { isTiny } from "../lib/weights/architecture.ts";
import { kindOf } from "../lib/weights/files.ts";
import { publishedTensors, writeSparse } from "../tests/synthetic.ts";
import { report, spread, time } from "./harness.ts";
import { ownProcessor } from "./processor.ts";

const ROUNDS = 7;
const BAKE_ROUNDS = 3;
const rest = () => new Promise((resolve) => setTimeout(resolve, 8000));

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

  const limit = Number(Deno.args[0] ?? Infinity) * 1e9;
  const out = join(folder, "baked.safetensors");
  /** Seconds, bytes and memory of one baking, as far as the limit lets it go. */
  const bakeAll = async (loras: readonly string[]) => {
    await using model = await open(single, { loras });
    await rest();
    const { resident } = readMemory();
    await forget();
    const stop = new AbortController();
    const enough = new Error("enough");
    const [started, used] = [performance.now(), ownProcessor()];
    let [count, bytes, seconds, peak] = [0, 0, 0, 0];
    const sizes = [...published["single-original"].values()].map((shape) => 2 * sizeOf(shape));
    const onProgress = () => {
      bytes += sizes[count++];
      [seconds, peak] = [(performance.now() - started) / 1000, readMemory().peak];
      if (bytes > limit) stop.abort(enough);
    };
    await bake(model, out, { signal: stop.signal, onProgress }).catch((error) => {
      if (!stop.signal.aborted) throw error;
    });
    if (!stop.signal.aborted) seconds = (performance.now() - started) / 1000; // with the sync at the end
    const processor = (ownProcessor() - used) / 1000;
    if (await kindOf(out) === "file") await Deno.remove(out);
    return { bytes, tensors: count, seconds, processor, peakAboveStartBytes: peak - resident };
  };
  /** What as many bytes take from file to file, in seconds. A baking that was cut short is not synced, so neither is this. */
  const copy = async (bytes: number) => {
    using source = await Deno.open(single);
    await rest();
    const used = ownProcessor();
    const milliseconds = await time(async () => {
      using target = await Deno.open(out, { write: true, create: true });
      const blocks = [new Uint8Array(4 * 2 ** 20), new Uint8Array(4 * 2 ** 20)];
      let writing: Promise<unknown> = Promise.resolve();
      for (let left = bytes, i = 0; left > 0; i++) {
        const read = await source.read(blocks[i % 2].subarray(0, Math.min(left, blocks[0].length)));
        if (read === null) break;
        await writing;
        writing = target.write(blocks[i % 2].subarray(0, read));
        left -= read;
      }
      await writing;
      if (limit === Infinity) await target.sync();
    });
    const processor = (ownProcessor() - used) / 1000;
    await Deno.remove(out);
    return { seconds: milliseconds / 1000, processor };
  };
  const bakes = { alone: [await bakeAll([])], withLora: [await bakeAll([lora])] };
  const baked = bakes.withLora[0].bytes;
  const copies = [await copy(baked)];
  for (let round = 1; round < BAKE_ROUNDS; round++) {
    copies.push(await copy(baked));
    bakes.alone.push(await bakeAll([]));
    bakes.withLora.push(await bakeAll([lora]));
  }
  const least = (values: readonly number[]) => Math.min(...values);
  const copySeconds = least(copies.map(({ seconds }) => seconds));
  const processorSecondsPerGB = (runs: readonly { readonly processor: number }[]) =>
    least(runs.map(({ processor }) => processor)) / (baked / 1e9);
  const told = (runs: typeof bakes.alone) => {
    const seconds = least(runs.map(({ seconds }) => seconds));
    return {
      tensors: runs[0].tensors,
      seconds,
      megabytesPerSecond: runs[0].bytes / seconds / 1e6,
      timesTheCopy: seconds / copySeconds,
      processorSecondsPerGB: processorSecondsPerGB(runs),
      peakAboveStartBytes: Math.max(...runs.map(({ peakAboveStartBytes }) => peakAboveStartBytes)),
    };
  };
  const command = ["MALLOC_MMAP_THRESHOLD_=65536 deno run -A bench/checkpoint_full_size.ts", ...Deno.args].join(" ");
  await report("checkpoint_full_size", command, {
    bytes,
    openMilliseconds: { first: alone[0], ...spread(alone) },
    openWithLoraMilliseconds: { first: beside[0], ...spread(beside) },
    loraAddsMilliseconds: { first: beside[0] - alone[0], fastest: spread(beside).min - spread(alone).min },
    graphBytes: { alone: bytesAlone, withLora: bytesBeside },
    bake: { bytes: baked, rounds: BAKE_ROUNDS, alone: told(bakes.alone), withLora: told(bakes.withLora) },
    copy: {
      seconds: copySeconds,
      megabytesPerSecond: baked / copySeconds / 1e6,
      processorSecondsPerGB: processorSecondsPerGB(copies),
    },
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
