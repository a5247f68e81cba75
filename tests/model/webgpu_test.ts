/**
 * A whole run by ONNX Runtime's WebGPU provider, without fallback to the processor, on the graphics driver SwiftShader,
 * which needs no GPU. Where there is none these tests skip.
 */

import { join } from "node:path";
import * as v from "valibot";
import { close, ok } from "../assert.ts";

/** Names SwiftShader's vk_swiftshader_icd.json; libvulkan.so.1 lies beside it or where the loader finds it. */
const VARIABLE = "FEWSTEP_SWIFTSHADER";

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

async function run(device: "cpu" | "webgpu", env: Record<string, string>) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", join(import.meta.dirname ?? "", "webgpu.ts"), device],
    env,
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`The run on ${device} failed: ${text.decode(stderr)}`);
  return v.parse(told, JSON.parse(text.decode(stdout)));
}

Deno.test({
  name: "webgpu: text, latents and picture are within 1e-3 of the processor's, and nothing falls back to it",
  ignore: driver === undefined,
  async fn() {
    const path = driver ?? "";
    const env = {
      VK_ICD_FILENAMES: path,
      VK_DRIVER_FILES: path,
      LD_LIBRARY_PATH: [join(path, ".."), Deno.env.get("LD_LIBRARY_PATH")].filter(Boolean).join(":"),
    };
    const [cpu, webgpu] = [await run("cpu", {}), await run("webgpu", env)];
    ok(webgpu.runtime.endsWith("WebGPU"), webgpu.runtime);
    for (const [name, values] of Object.entries(cpu.tensors)) close(webgpu.tensors[name], values, 1e-3, name);
  },
});
