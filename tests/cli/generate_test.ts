import { inFolder } from "../files.ts";
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Tensor } from "../../lib/tensor/tensor.ts";
import { readPicture, savePicture } from "../../lib/view/picture.ts";
import { writeSafetensors } from "../../lib/weights/safetensors.ts";

const pocket = ["--model", "models/pocket/base", "--unet", "models/pocket/lightning_4step_unet.safetensors"];
const lightning = [...pocket, "--recipe", "lightning-4step", "--prompt", "sunflower, meadow"];

async function generate(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "lib/cli/generate.ts", ...args],
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("generate: two seeds make two pictures, and --json tells what was done", () =>
  inFolder(async (folder) => {
    const { code, stdout, stderr } = await generate(
      ...lightning,
      "--seed",
      "7,8",
      "--out",
      `${folder}/p.png`,
      "--json",
    );
    equal(stderr, "", "progress is silent where stderr is no terminal");
    equal(code, 0);
    const report = JSON.parse(stdout);
    deepEqual(report.files, [`${folder}/p-0.png`, `${folder}/p-1.png`]);
    deepEqual(names(folder), ["p-0.png", "p-1.png"]);
    equal(report.milliseconds.steps.length, 4);
    match(report.digest, /^[0-9a-f]{64}$/);
    ok(report.memory.peak >= report.memory.resident);
    const [first, second] = await Promise.all(report.files.map((file: string) => readPicture(file)));
    deepEqual(first.shape, [1, 3, 128, 128]);
    ok(first.minus(second).data.some((value: number) => Math.abs(value) > 0.1), "seeds differ");

    const again = await generate(...lightning, "--seed", "7", "--out", `${folder}/q.png`);
    equal(again.stdout, `${folder}/q.png\n`);
    const alone = await readPicture(`${folder}/q.png`);
    ok(
      alone.minus(first).data.every((value: number) => Math.abs(value) <= 2 / 255),
      "a seed is a picture, in any batch",
    );
  }));

Deno.test("generate: noise from a file stands in place of the seed", () =>
  inFolder(async (folder) => {
    const noise = Tensor.of(Array.from({ length: 2048 }, (_, i) => Math.sin(i * i)), [2, 4, 16, 16]);
    await writeSafetensors(`${folder}/noise.safetensors`, new Map([["noise", noise]]));
    const { code } = await generate(...lightning, "--noise", `${folder}/noise.safetensors`, "--out", `${folder}/n.png`);
    equal(code, 0);
    deepEqual(names(folder), ["n-0.png", "n-1.png", "noise.safetensors"]);
  }));

Deno.test("generate: --mask draws a part of --image anew and leaves the rest", () =>
  inFolder(async (folder) => {
    const [image, mask, out] = ["image", "mask", "out"].map((name) => `${folder}/${name}.png`);
    await generate(...lightning, "--seed", "7", "--out", image);
    const leftHalf = Tensor.zeros([1, 3, 128, 128]).map((_, i) => i % 128 < 64 ? 1 : 0);
    await savePicture(leftHalf, mask);
    const result = await generate(...lightning, "--seed", "8", "--image", image, "--mask", mask, "--out", out);
    deepEqual([result.stderr, result.code], ["", 0]);
    const change = (await readPicture(out)).minus(await readPicture(image));
    const mean = (wanted: (column: number) => boolean) => {
      const values = [...change.data].filter((_, i) => wanted(i % 128)).map(Math.abs);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const [drawn, kept] = [mean((column) => column < 56), mean((column) => column >= 88)];
    ok(drawn > 3 * kept, `mean change ${drawn.toFixed(3)} under the mask, ${kept.toFixed(3)} well outside of it`);
  }));

/** Exit code and message for a command line that asks for something wrong. */
const mistakes: [code: number, args: string[], message: RegExp][] = [
  [2, ["--stepz", "4"], /^Unknown option --stepz\. Did you mean --steps\?$/],
  [2, ["--size", "big"], /^Cannot use --size "big": pixels as WIDTHxHEIGHT/],
  [2, ["--seed", "one"], /^Cannot use --seed "one": whole numbers/],
  [2, ["--seed", "18446744073709551616"], /^Cannot use --seed/],
  [
    2,
    ["--device", "tpu"],
    /^Cannot use --device "tpu": wanted is cpu, webgpu, cuda, openvino, openvino:CPU, openvino:GPU, openvino:NPU\.$/,
  ],
  [
    1,
    ["--precision", "bf16"],
    /^Cannot compute in bf16 with .*: ONNX Runtime has no bfloat16 kernels for processors\. .*$/,
  ],
  [1, ["--lora", "none.safetensors=0.5"], /^Cannot open .*none\.safetensors: it does not exist\.$/],
  [2, ["--lora-mode", "merge"], /^Cannot use --lora-mode "merge": wanted is branch, fuse\.$/],
  [1, ["--image", "nothing.png"], /nothing\.png/],
  [2, ["--strength", "0.5"], /^Cannot use --strength alone/],
  [1, ["--batch", "2"], /^Cannot draw noise for 2 pictures from 1 seeds, each its own: .* one-stream and counted-up/],
  [1, ["--seed", "1,2", "--noise-habit", "one-stream"], /^Cannot draw one-stream from 2 seeds: it takes one\./],
  [
    2,
    ["--noise-habit", "comfyui"],
    /^Cannot use --noise-habit "comfyui": wanted is each-own, one-stream, counted-up\.$/,
  ],
  [2, ["--mask", "mask.png"], /^Cannot use --mask alone/],
  [2, ["--seed", "1", "--noise", "x.safetensors"], /^Cannot use --seed with --noise/],
  [1, ["--noise", "nothing.safetensors"], /nothing\.safetensors.*does not exist/],
  [1, ["--size", "130x128"], /^Cannot make a picture 130x128/],
  [1, ["--steps", "6"], /^Cannot run lightning-4step for 6 steps: it was distilled for 4\./],
];

Deno.test("generate: each mistake is one sentence and an exit code, without a stack, and nothing is written", () =>
  inFolder(async (folder) => {
    for (const [code, args, message] of mistakes) {
      const result = await generate(...lightning, "--out", `${folder}/p.png`, ...args);
      match(result.stderr, new RegExp(message.source.replace(/\$$/, "\\n$")));
      equal(result.stderr.trim().split("\n").length, 1, result.stderr);
      equal(result.code, code, result.stderr);
      equal(result.stdout, "");
    }
    const missing = await generate(...lightning, "--out", `${folder}/none/p.png`);
    match(missing.stderr, /^Cannot write .*p\.png: the folder .*none does not exist\.\n$/);
    equal(missing.code, 1);
    const nowhere = await generate("--model", `${folder}/none`, "--prompt", "", "--out", `${folder}/p.png`);
    equal(nowhere.code, 1);
    match(nowhere.stderr, /^Cannot open .*none.*\n$/);
    const pointless = await generate("--model", "models/pocket/base", "--prompt", "");
    equal(pointless.code, 2);
    match(pointless.stderr, /^Missing --out: where the picture goes/);
    const bare = await generate();
    deepEqual([bare.code, bare.stderr], [
      2,
      "Missing --model: a diffusers folder or a .safetensors checkpoint, for example models/pocket/base.\n",
    ]);
    deepEqual(names(folder), []);
  }));

Deno.test("generate: --help tells every option that works", async () => {
  const { code, stdout } = await generate("--help");
  equal(code, 0);
  for (const option of ["model", "unet", "recipe", "steps", "seed", "noise", "out", "json"]) {
    match(stdout, new RegExp(`--${option}\\b`));
  }
});
