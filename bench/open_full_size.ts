/**
 * How long a full-size SDXL (2.57 G parameters, fp16, sparse files) takes from path to graphs, and how much disk.
 * Goal: ≤ 1 s and ≤ 16 MB for all graphs together.
 *
 * Command: deno run -A bench/open_full_size.ts
 */

import { join } from "node:path";
import { buildClipText } from "../lib/graph/clip.ts";
import { cpu } from "../lib/graph/lowering.ts";
import { buildUnet } from "../lib/graph/unet.ts";
import { buildVaeDecoder } from "../lib/graph/vae.ts";
import { isTiny } from "../lib/weights/architecture.ts";
import { openCheckpoint } from "../lib/weights/open.ts";
import { writeSyntheticFolder } from "../tests/synthetic.ts";
import { report, spread, time } from "./harness.ts";

const folder = await Deno.makeTempDir();
try {
  const model = join(folder, "sdxl");
  await writeSyntheticFolder(model);
  const times: number[] = [];
  let bytes: Record<string, number> = {};
  for (let round = 0; round < 5; round++) {
    times.push(
      await time(async () => {
        const { unet, vae, textEncoder, textEncoder2 } = await openCheckpoint(model);
        if (isTiny(vae.architecture)) throw new Error("SDXL's own VAE was wanted.");
        const networks = [
          buildUnet(unet.architecture, unet.weights, { lowering: cpu }),
          buildVaeDecoder(vae.architecture, vae.weights, { lowering: cpu }),
          buildClipText(textEncoder.architecture, textEncoder.weights, { lowering: cpu }),
          buildClipText(textEncoder2.architecture, textEncoder2.weights, { lowering: cpu }),
        ];
        for (const { name, bytes } of networks) await Deno.writeFile(join(folder, `${name}.onnx`), bytes);
        bytes = Object.fromEntries(networks.map(({ name, bytes }) => [name, bytes.length]));
      }),
    );
  }
  await report("open_full_size", "deno run -A bench/open_full_size.ts", {
    firstMilliseconds: times[0],
    milliseconds: spread(times),
    graphBytes: bytes,
    totalBytes: Object.values(bytes).reduce((sum, n) => sum + n, 0),
  });
} finally {
  await Deno.remove(folder, { recursive: true });
}
