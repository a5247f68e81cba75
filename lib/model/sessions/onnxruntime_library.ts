/**
 * ONNX Runtime's C library, as the npm package onnxruntime-node carries it, by Deno's foreign function interface. The
 * package's own binding keeps JavaScript's thread while a network runs; a foreign call need not.
 *
 * The library has one symbol, which gives a table of functions. The table only ever grows at its end, so a function's
 * place stands for good. Places, parameters and numbers are those of onnxruntime_c_api.h:
 * https://github.com/microsoft/onnxruntime/blob/main/include/onnxruntime/core/session/onnxruntime_c_api.h
 */

import { fileURLToPath } from "node:url";
import { dirname, join, resolve } from "node:path";
// Named here so that the package is installed, though none of its code is run.
import manifest from "onnxruntime-node/package.json" with { type: "json" };
import { keepLoaded, text, textAt } from "./foreign.ts";
import { namesIn } from "./libraries.ts";

/** The version of the table in which the youngest of the functions below appeared. */
const API_VERSION = 22;

/** `ORT_LOGGING_LEVEL_ERROR`: warnings of graph optimisers mean nothing to a user. */
export const LOG_ERRORS = 3;

/** Names the folder of another build of the library than npm's: pip's onnxruntime-gpu has it in `onnxruntime/capi`. */
export const LIBRARY_VARIABLE = "FEWSTEP_ONNXRUNTIME";

/** What the library's file is called: npm's with the major version, pip's with all of it, others' with none. */
const FILE: Readonly<Record<string, RegExp>> = {
  linux: /^libonnxruntime\.so(\.1(\.\d+)*)?$/,
  darwin: /^libonnxruntime(\.1(\.\d+)*)?\.dylib$/,
  windows: /^onnxruntime\.dll$/,
};

/** A call's result: null where it succeeded, otherwise an object that says why not. */
const status = "pointer" as const;

/**
 * The functions, by their place in the table. What works for long leaves JavaScript's thread free, and takes no buffer
 * of JavaScript's, which may be gone before the call is done.
 */
function functionsOf(table: Deno.UnsafePointerView) {
  const at = <const F extends Deno.ForeignFunction>(place: number, definition: F): Deno.UnsafeFnPointer<F> => {
    const address = Deno.UnsafePointer.create<Omit<F, "nonblocking">>(table.getBigUint64(8 * place));
    if (address === null) throw new Error(`Cannot use ONNX Runtime: its table has no function at ${place}.`);
    return new Deno.UnsafeFnPointer(address, definition);
  };
  return {
    errorMessage: at(2, { parameters: ["pointer"], result: "pointer" }),
    createEnv: at(3, { parameters: ["i32", "buffer", "buffer"], result: status }),
    createSession: at(8, {
      parameters: ["pointer", "usize", "usize", "pointer", "usize"],
      result: status,
      nonblocking: true,
    }),
    run: at(9, {
      parameters: ["pointer", "pointer", "usize", "usize", "usize", "usize", "usize", "usize"],
      result: status,
      nonblocking: true,
    }),
    createSessionOptions: at(10, { parameters: ["buffer"], result: status }),
    enableProfiling: at(14, { parameters: ["pointer", "buffer"], result: status }),
    disableMemoryPattern: at(17, { parameters: ["pointer"], result: status }),
    setLogSeverity: at(22, { parameters: ["pointer", "i32"], result: status }),
    setThreads: at(24, { parameters: ["pointer", "i32"], result: status }),
    createRunOptions: at(39, { parameters: ["buffer"], result: status }),
    terminateRun: at(46, { parameters: ["pointer"], result: status }),
    createTensor: at(48, { parameters: ["pointer", "buffer", "usize", "i32", "buffer"], result: status }),
    createTensorOn: at(49, {
      parameters: ["pointer", "pointer", "usize", "buffer", "usize", "i32", "buffer"],
      result: status,
    }),
    tensorData: at(51, { parameters: ["pointer", "buffer"], result: status }),
    elementType: at(60, { parameters: ["pointer", "buffer"], result: status }),
    rank: at(61, { parameters: ["pointer", "buffer"], result: status }),
    dimensions: at(62, { parameters: ["pointer", "buffer", "usize"], result: status }),
    typeAndShape: at(65, { parameters: ["pointer", "buffer"], result: status }),
    createCpuMemoryInfo: at(69, { parameters: ["i32", "i32", "buffer"], result: status }),
    freeByAllocator: at(76, { parameters: ["pointer", "pointer"], result: status }),
    defaultAllocator: at(78, { parameters: ["buffer"], result: status }),
    releaseStatus: at(93, { parameters: ["pointer"], result: "void" }),
    releaseMemoryInfo: at(94, { parameters: ["pointer"], result: "void" }),
    // Gives back gigabytes, which takes a while.
    releaseSession: at(95, { parameters: ["pointer"], result: "void", nonblocking: true }),
    releaseValue: at(96, { parameters: ["pointer"], result: "void" }),
    releaseRunOptions: at(97, { parameters: ["pointer"], result: "void" }),
    releaseTypeAndShape: at(99, { parameters: ["pointer"], result: "void" }),
    releaseSessionOptions: at(100, { parameters: ["pointer"], result: "void" }),
    endProfiling: at(110, { parameters: ["pointer", "pointer", "buffer"], result: status }),
    addConfig: at(130, { parameters: ["pointer", "buffer", "buffer"], result: status }),
    addInitializer: at(150, { parameters: ["pointer", "buffer", "pointer"], result: status }),
    appendCuda: at(204, { parameters: ["pointer", "pointer"], result: status }),
    createCudaOptions: at(205, { parameters: ["buffer"], result: status }),
    updateCudaOptions: at(206, { parameters: ["pointer", "buffer", "buffer", "usize"], result: status }),
    releaseCudaOptions: at(208, { parameters: ["pointer"], result: "void" }),
    appendProvider: at(216, { parameters: ["pointer", "buffer", "buffer", "buffer", "usize"], result: status }),
    cancelLoading: at(293, { parameters: ["pointer", "bool"], result: status }),
  };
}

type Functions = ReturnType<typeof functionsOf>;

export class OnnxRuntimeLibrary {
  /** The folder that the library lies in, where its providers are looked for. */
  readonly folder: string;
  /** Of the library, for example "1.30.0". */
  readonly version: string;
  readonly functions: Functions;
  /** What holds the process's loggers. One for all sessions. */
  readonly env: Deno.PointerObject;
  /** The processor's memory, as tensors that lie in it name it. */
  readonly cpuMemory: Deno.PointerObject;
  /** What takes from it and gives back. */
  readonly allocator: Deno.PointerObject;

  constructor() {
    this.folder = libraryFolder();
    const { version, functions } = openIn(this.folder);
    this.version = version;
    this.functions = functions;
    const name = text("fewstep");
    this.env = this.made((out) => functions.createEnv.call(LOG_ERRORS, name, out), "start ONNX Runtime");
    // OrtDeviceAllocator = 0, OrtMemTypeDefault = 0
    this.cpuMemory = this.made((out) => functions.createCpuMemoryInfo.call(0, 0, out), "start ONNX Runtime");
    this.allocator = this.made((out) => functions.defaultAllocator.call(out), "start ONNX Runtime");
  }

  /** Takes a call's result. @throws Error with the library's own words */
  want(result: Deno.PointerValue, what: string): void {
    if (result === null) return;
    const words = textAt(this.functions.errorMessage.call(result));
    this.functions.releaseStatus.call(result);
    // What its own code threw comes with the place in its source, and with the code of the error in words.
    const plain = words.replace(/^.*\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /s, "").trim();
    throw new Error(`Cannot ${what}: ${plain.replace(/\s*\n\s*/g, " ").replace(/\.$/, "")}.`);
  }

  /** An object that a call made. @throws Error with the library's own words */
  made(make: (out: BigUint64Array<ArrayBuffer>) => Deno.PointerValue, what: string): Deno.PointerObject {
    const out = new BigUint64Array(1);
    this.want(make(out), what);
    return wantPointer(out[0], what);
  }
}

export function wantPointer(address: bigint, what: string): Deno.PointerObject {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new Error(`Cannot ${what}: ONNX Runtime gave nothing where an object was wanted.`);
  return pointer;
}

let opened: OnnxRuntimeLibrary | undefined;

/**
 * ONNX Runtime's C library, opened once a process.
 *
 * @throws RangeError where it is missing or too old, or may not be called
 */
export function onnxRuntimeLibrary(): OnnxRuntimeLibrary {
  return opened ??= new OnnxRuntimeLibrary();
}

function libraryFolder(): string {
  const given = Deno.env.get(LIBRARY_VARIABLE);
  if (given) return resolve(given);
  const root = dirname(fileURLToPath(import.meta.resolve("onnxruntime-node/package.json")));
  const os = Deno.build.os === "windows" ? "win32" : Deno.build.os;
  return join(root, "bin", "napi-v6", os, Deno.build.arch === "x86_64" ? "x64" : "arm64");
}

/** @throws RangeError where the folder has none */
function libraryIn(folder: string): string {
  const pattern = FILE[Deno.build.os] ?? FILE.linux;
  const name = namesIn(folder).find((name) => pattern.test(name));
  if (name !== undefined) return join(folder, name);
  throw new RangeError(
    Deno.env.get(LIBRARY_VARIABLE)
      ? `Cannot compute: ${LIBRARY_VARIABLE} says ${folder}, and ONNX Runtime's library is not there. Wanted is the ` +
        `folder of libonnxruntime: in pip's onnxruntime-gpu it is onnxruntime/capi.`
      : `Cannot compute: ONNX Runtime's library is not in ${folder}. onnxruntime-node ${manifest.version} carries it for ` +
        `Linux and Windows on x64 and arm64, and for macOS on arm64.`,
  );
}

function openIn(folder: string): { readonly version: string; readonly functions: Functions } {
  const path = libraryIn(folder);
  const { OrtGetApiBase } = openAt(path);
  const base = OrtGetApiBase();
  if (base === null) throw new RangeError(`Cannot compute: ${path} gives no functions.`);
  // struct OrtApiBase { const OrtApi* (*GetApi)(uint32_t version); const char* (*GetVersionString)(); }
  const entries = new Deno.UnsafePointerView(base);
  const getApi = Deno.UnsafePointer.create<{ readonly parameters: ["u32"]; readonly result: "pointer" }>(
    entries.getBigUint64(0),
  );
  const getVersion = Deno.UnsafePointer.create<{ readonly parameters: []; readonly result: "pointer" }>(
    entries.getBigUint64(8),
  );
  if (getApi === null || getVersion === null) throw new RangeError(`Cannot compute: ${path} gives no functions.`);
  const version = textAt(new Deno.UnsafeFnPointer(getVersion, { parameters: [], result: "pointer" }).call());
  const api = new Deno.UnsafeFnPointer(getApi, { parameters: ["u32"], result: "pointer" }).call(API_VERSION);
  if (api === null) {
    throw new RangeError(`Cannot compute: ${path} is ONNX Runtime ${version}, wanted is 1.${API_VERSION} or newer.`);
  }
  return { version, functions: functionsOf(new Deno.UnsafePointerView(api)) };
}

/**
 * Unless this is set when the library is opened, it sends its maker what machine and which models it runs on, and keeps a
 * number for this machine and what is not sent yet in the user's cache: since 1.29, on CI machines alone not.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
 */
const NO_REPORTS = "ORT_DISABLE_TELEMETRY";

function openAt(path: string) {
  if (Deno.env.get(NO_REPORTS) === undefined) Deno.env.set(NO_REPORTS, "1");
  const symbols = { OrtGetApiBase: { parameters: [], result: "pointer" } } as const;
  try {
    // Windows looks for what a library needs among what is loaded, before any folder.
    if (Deno.build.os === "windows") Deno.dlopen(join(dirname(path), "DirectML.dll"), {});
    const library = Deno.dlopen(path, symbols).symbols;
    keepLoaded(path);
    return library;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new RangeError(`Cannot compute: ONNX Runtime's library ${path} cannot be loaded (${reason}).`);
  }
}
