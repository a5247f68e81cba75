/** A process of the determinism test: one run, its latent's digest on stdout. `child.ts MODEL THREADS` */

import { open } from "fewstep";
import { latentDigest } from "fewstep/model/provenance.ts";

const [path, threads] = Deno.args;
await using model = await open(path, { threads: Number(threads) });
const { step } = await model.generate({
  prompt: "a tiger face, crown",
  seed: 7,
  steps: 3,
  guidance: 4,
  size: { width: 32, height: 32 },
});
console.log(await latentDigest(step));
