/** ONNX Runtime's settings of a session, and what computes in it beside the processor. */

import { text, TextList, wideText } from "./foreign.ts";
import { LOG_ERRORS, type OnnxRuntimeLibrary } from "./onnxruntime_library.ts";

/** A provider and its own options. */
export interface Provider {
  readonly name: "WebGPU" | "CUDA";
  readonly options: Readonly<Record<string, string>>;
}

export interface Settings {
  /** Threads inside an operator. Default: the runtime's own choice, one a core. */
  readonly threads?: number;
  /** Entries of the session's configuration, by their whole names: `session.…`. */
  readonly config?: Readonly<Record<string, string>>;
  /** What computes, and its own options. Default: the processor. */
  readonly provider?: Provider;
  /** Where the trace of its runs is begun: a path that the runtime adds a time to. Default: there is none. */
  readonly trace?: string;
}

/** Writes them into the library's own object. @throws Error with the library's own words */
export function setUp(
  library: OnnxRuntimeLibrary,
  settings: Deno.PointerObject,
  { threads, config = {}, provider, trace }: Settings,
  what: string,
): void {
  const { functions } = library;
  library.want(functions.setLogSeverity.call(settings, LOG_ERRORS), what);
  if (threads !== undefined) library.want(functions.setThreads.call(settings, threads), what);
  // Planned as one block from the run before, a run's memory stands beside what that run took: twice as much from the
  // second run on, and no time is won.
  library.want(functions.disableMemoryPattern.call(settings), what);
  for (const [key, value] of Object.entries(config)) {
    library.want(functions.addConfig.call(settings, text(key), text(value)), what);
  }
  if (trace !== undefined) {
    const path = Deno.build.os === "windows" ? wideText(trace) : text(trace);
    library.want(functions.enableProfiling.call(settings, path), what);
  }
  if (provider !== undefined) appendProvider(library, settings, provider, what);
}

/** Gives a session's settings the provider that is to compute. @throws Error with the library's own words */
function appendProvider(
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
