/**
 * A whole run by ONNX Runtime's WebGPU provider, without fallback to the processor, on the graphics driver SwiftShader,
 * which needs no GPU. Where there is none these tests skip.
 */

import { join } from "node:path";
import * as v from "valibot";
import { close, ok, relativeL2 } from "../assert.ts";

/** Names SwiftShader's vk_swiftshader_icd.json; libvulkan.so.1 lies beside it or where the loader finds it. */
const VARIABLE = "FEWSTEP_SWIFTSHADER";

/** Runs what takes minutes, too. */
const LONG = "FEWSTEP_WEBGPU";

/** Chromium brings it along. */
const FOLDERS = ["/usr/lib/chromium", "/usr/lib64/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];

function find(): string | undefined {
  const given = Deno.env.get(VARIABLE);
  if (given) return given;
  return FOLDERS.map((folder) => join(folder, "vk_swiftshader_icd.json")).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

const driver = Deno.build.os === "linux" ? find() : undefined;
if (driver === undefined) {
  console.log(`webgpu: skipped, there is no SwiftShader. Wanted is ${VARIABLE} naming vk_swiftshader_icd.json.`);
}

const told = v.object({ runtime: v.string(), tensors: v.record(v.string(), v.array(v.number())) });

async function run(name: string, device: "cpu" | "webgpu", precision: "fp32" | "fp16") {
  const env = {
    VK_ICD_FILENAMES: driver ?? "",
    VK_DRIVER_FILES: driver ?? "",
    LD_LIBRARY_PATH: [join(driver ?? "", ".."), Deno.env.get("LD_LIBRARY_PATH")].filter(Boolean).join(":"),
  };
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", join(import.meta.dirname ?? "", "webgpu.ts"), name, device, precision],
    env: device === "webgpu" ? env : {},
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`The run on ${device} failed: ${text.decode(stderr)}`);
  return v.parse(told, JSON.parse(text.decode(stdout)));
}

/** @param tolerance relative L2 of each tensor */
async function compare(name: string, precision: "fp32" | "fp16", tolerance: number): Promise<void> {
  const [cpu, webgpu] = [await run(name, "cpu", "fp32"), await run(name, "webgpu", precision)];
  ok(webgpu.runtime.endsWith("WebGPU"), webgpu.runtime);
  for (const [tensor, values] of Object.entries(cpu.tensors)) {
    close(webgpu.tensors[tensor], values, tolerance, tensor);
    console.log(`${name}, ${precision}, ${tensor}: ${relativeL2(webgpu.tensors[tensor], values).toExponential(1)}`);
  }
}

Deno.test({
  name: "webgpu: text, latents and picture are within 1e-3 of the processor's, and nothing falls back to it",
  ignore: driver === undefined,
  fn: () => compare("tiny", "fp32", 1e-3),
});

const long = Deno.env.get(LONG) !== undefined;
if (!long) console.log(`webgpu: the pocket models are left out, \`deno task test:webgpu\` runs them.`);

Deno.test({
  name: "webgpu: the pocket models likewise",
  ignore: driver === undefined || !long,
  fn: () => compare("pocket", "fp32", 1e-3),
});

Deno.test({
  name: "webgpu: in half floats the pocket models are within 1e-2, or the sentence says that the device has none",
  ignore: driver === undefined || !long,
  async fn() {
    try {
      await compare("pocket", "fp16", 1e-2);
    } catch (error) {
      const told = error instanceof Error ? error.message : "";
      const reason = told.match(/Cannot run the text_encoder: .*requires f16 but the device does not support it\./)
        ?.[0];
      if (reason === undefined) throw error;
      console.log(`webgpu fp16: not run. ${reason}`);
    }
  },
});
