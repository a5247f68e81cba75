/**
 * A whole run by ONNX Runtime's WebGPU provider, without fallback to the processor, on the graphics driver SwiftShader,
 * which needs no GPU, or on the one that the variable names. Where there is none these tests skip.
 */

import { join } from "node:path";
import { compareWithProcessor } from "./against_processor.ts";

/**
 * Names SwiftShader's vk_swiftshader_icd.json, or another driver's description: NVIDIA's is nvidia_icd.json.
 * libvulkan.so.1 lies beside it or where the loader finds it.
 */
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

/** The loader's and the driver's settings for a process that is to use it. */
function environment(): Record<string, string> {
  const folder = join(driver ?? "", "..");
  return {
    VK_ICD_FILENAMES: driver ?? "",
    VK_DRIVER_FILES: driver ?? "",
    LD_LIBRARY_PATH: [folder, Deno.env.get("LD_LIBRARY_PATH")].filter(Boolean).join(":"),
  };
}

const compare = (name: string, precision: "fp32" | "fp16", tolerance: number) =>
  compareWithProcessor(name, { device: "webgpu", precision, env: environment() }, tolerance);

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
