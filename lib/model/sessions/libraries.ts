/** Where libraries lie that other packages bring along. */

import { join } from "node:path";
import { keepLoaded } from "./foreign.ts";

/** Names in a folder; none where there is no such folder, or it is another user's. */
export function namesIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    const { NotADirectory, NotFound, PermissionDenied } = Deno.errors;
    if ([NotADirectory, NotFound, PermissionDenied].some((kind) => error instanceof kind)) return [];
    throw error;
  }
}

/** What ONNX Runtime's CUDA provider is linked to, and cuDNN, which it asks for by name. What needs others comes after. */
const NVIDIA = ["cudart", "nvrtc", "cublasLt", "cublas", "curand", "cufft", "cudnn"];

/**
 * Loads NVIDIA's libraries from pip's packages, where they lie in the same site-packages as pip's onnxruntime-gpu: there
 * the system's loader would not look. Those that are not there are left to it. Linux only: Windows has a search path.
 *
 * @param folder of ONNX Runtime's library: `site-packages/onnxruntime/capi`
 */
export function loadNvidiaBeside(folder: string): void {
  if (Deno.build.os !== "linux") return;
  const packages = join(folder, "..", "..", "nvidia");
  const folders = namesIn(packages).map((name) => join(packages, name, "lib"));
  for (const library of NVIDIA) {
    const pattern = new RegExp(`^lib${library}\\.so\\.\\d+$`);
    const path = folders.flatMap((folder) => namesIn(folder).map((name) => [folder, name] as const))
      .find(([, name]) => pattern.test(name));
    if (path !== undefined) keepLoaded(join(...path));
  }
}
