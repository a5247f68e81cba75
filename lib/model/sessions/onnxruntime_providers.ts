/** What computes beside the processor, in ONNX Runtime's settings of a session. */

import { text, TextList } from "./foreign.ts";
import type { OnnxRuntimeLibrary } from "./onnxruntime_library.ts";

/** A provider and its own options. */
export interface Provider {
  readonly name: "WebGPU" | "CUDA";
  readonly options: Readonly<Record<string, string>>;
}

/** Gives a session's settings the provider that is to compute. @throws Error with the library's own words */
export function appendProvider(
  library: OnnxRuntimeLibrary,
  settings: Deno.PointerObject,
  { name, options }: Provider,
  what: string,
): void {
  if (name === "WebGPU") {
    const [keys, values] = [new TextList(Object.keys(options)), new TextList(Object.values(options))];
    const status = library.functions.appendProvider
      .call(settings, text(name), keys.addresses, values.addresses, keys.length);
    return library.want(status, what);
  }
  withCuda(library, options, what, (cuda) => library.want(library.functions.appendCuda.call(settings, cuda), what));
}

/**
 * Loads the CUDA provider, and gives it its options.
 *
 * @throws Error with the library's own words where it, or a library that it needs, cannot be loaded
 */
export function withCuda(
  library: OnnxRuntimeLibrary,
  options: Readonly<Record<string, string>>,
  what: string,
  use: (options: Deno.PointerObject) => void,
): void {
  const { functions } = library;
  const [keys, values] = [new TextList(Object.keys(options)), new TextList(Object.values(options))];
  const cuda = library.made((out) => functions.createCudaOptions.call(out), what);
  try {
    library.want(functions.updateCudaOptions.call(cuda, keys.addresses, values.addresses, keys.length), what);
    use(cuda);
  } finally {
    functions.releaseCudaOptions.call(cuda);
  }
}
