/**
 * The same seed, another picture: why? Against a run that training/dump_diffusers.py dumped:
 *
 *     python training/dump_diffusers.py models/pocket/base --prompt "sunflower, meadow" --seed 7 --steps 4 --guidance 3 \
 *       --latents --out data/goldens/dump-diffusers.safetensors        (torch 2.13.0, diffusers 0.42.1)
 */

import { diff, open, type Request, saveRecord } from "fewstep";
import { join } from "node:path";
import { equal, ok } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

const MODEL = new URL("../../models/pocket/base", import.meta.url).pathname;
const THEIRS = goldenPath("dump-diffusers.safetensors");
const REQUEST: Request = { prompt: "sunflower, meadow", seed: 7, steps: 4, guidance: 3 };

/** What is done otherwise here, the first tensor that tells, and what the cause must say. */
const CASES: readonly (readonly [string, Partial<Request>, string, RegExp])[] = [
  ["another seed", { seed: 8 }, "noise", /another seed|other noise|Unrelated noise/],
  [
    "the GPU's generator",
    { rng: "cuda" },
    "noise",
    /seed is the same, the random stream is not: ours\.\S+ drew from torch's CUDA generator.*, dump-diffusers\.\S+ from torch's CPU/,
  ],
  ["another prompt", { prompt: "an owl" }, "prompt_embeds", /Another text/],
  ["an empty text in place of zeros", { negative: "" }, "negative_prompt_embeds", /force_zeros_for_empty_prompt/],
  ["another spacing", { spacing: "trailing" }, "timesteps", /ours\.\S+ is on trailing spacing, dump-\S+ on leading/],
  ["another start", { initNoise: "sigma" }, "latents", /by σ \(diffusers' trailing\), the other by √/],
  ["another guidance", { guidance: 4 }, "prediction", /another guidance scale/],
  [
    "another sampler",
    { sampler: "dpmpp-2m", timesteps: [751, 501, 251, 1], steps: undefined },
    "latents",
    /scaled otherwise/,
  ],
];

Deno.test("a dump of diffusers: the kit's run is the same, and each way to differ is named", () =>
  inFolder(async (folder) => {
    await using model = await open(MODEL);
    const compared = async (changes: Partial<Request>) => {
      const path = join(folder, "ours.safetensors");
      const { step } = await model.generate({ ...REQUEST, ...changes });
      await saveRecord(path, { model, step });
      return await diff(path, THEIRS);
    };
    const same = await compared({});
    equal([same.same, same.cause], [true, undefined]);
    // Seven tensors once, the start, three of each step.
    equal(same.differences.length, 7 + 1 + 3 * 4);
    for (const [what, changes, key, cause] of CASES) {
      const comparison = await compared(changes);
      equal(comparison.first?.key, key, `${what}: ${comparison.cause}`);
      ok(cause.test(`${comparison.cause}`), `${what}: ${comparison.cause}`);
    }
  }));

Deno.test("deno task diff says it in a sentence", () =>
  inFolder(async (folder) => {
    await using model = await open(MODEL);
    const path = join(folder, "ours.safetensors");
    const { step } = await model.generate({ ...REQUEST, guidance: 4 });
    await saveRecord(path, { model, step });
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", "lib/cli/diff.ts", path, "--with", THEIRS],
    }).output();
    equal(code, 0);
    const text = new TextDecoder().decode(stdout);
    ok(/They part at prediction at step 0\. .* another guidance scale/.test(text), text);
  }));
