/**
 * One picture of the pocket student in 4 steps, from process start to PNG: `deno task generate` against a script of
 * diffusers that does the same, in turn.
 *
 * `deno run -A bench/generate.ts PYTHON`, a Python that has diffusers and transformers.
 */

import { readPicture } from "../lib/view/picture.ts";
import { peerEnvironment } from "./peer.ts";
import { paired, report, time } from "./harness.ts";

const [python] = Deno.args;
if (python === undefined) {
  console.error(
    "Missing the Python to compare with: one that has diffusers, as in deno run -A bench/generate.ts python3.",
  );
  Deno.exit(2);
}

const folder = await Deno.makeTempDir();
const [ours, theirs] = [`${folder}/ours.png`, `${folder}/theirs.png`];

async function run(command: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args], stdout: "null", ...peerEnvironment() })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const generate = () =>
  run(Deno.execPath(), [
    ...["task", "--quiet", "generate", "--model", "models/pocket/base", "--recipe", "lightning-4step", "--seed", "7"],
    ...["--unet", "models/pocket/lightning_4step_unet.safetensors", "--prompt", "sunflower, meadow", "--out", ours],
  ]);
const diffusers = () => run(python, ["bench/peers/generate.py", theirs]);

await generate(); // once before, so that both find their files in the system's cache
await diffusers();
const result = await paired(5, () => time(generate), () => time(diffusers));
const difference = (await readPicture(ours)).minus(await readPicture(theirs));
const worst = difference.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0) * 255;
await Deno.remove(folder, { recursive: true });
await report("generate", "deno run -A bench/generate.ts PYTHON", {
  milliseconds: { ours: result.ours, theirs: result.theirs },
  ratio: result.ratio,
  wanted: "ratio ≤ 0.25",
  worstPixelOf255: Math.round(worst),
});
