/** OpenVINO's C library: where it lies, and its functions by Deno's foreign function interface. */

import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { keepLoaded } from "./foreign.ts";
import { namesIn } from "./libraries.ts";

/** Names a file or folder of OpenVINO's; goes before all other places. */
export const LIBRARY_VARIABLE = "FEWSTEP_OPENVINO";

/** A shape by value: `{ int64_t rank; int64_t* dims; }`. */
const SHAPE = { struct: ["i64", "pointer"] } as const;

/**
 * openvino/c/openvino.h. Objects are opaque pointers; a result is 0 or an error. Functions that work for long leave the
 * thread free, and take no buffer of JavaScript's, which may be gone before they are done. The `_props` form takes properties as an array, as foreign calls cannot pass variable arguments.
 */
const SYMBOLS = {
  ov_get_last_err_msg: { parameters: [], result: "pointer" },
  ov_get_openvino_version: { parameters: ["buffer"], result: "i32" },
  ov_version_free: { parameters: ["buffer"], result: "void" },
  ov_free: { parameters: ["pointer"], result: "void" },
  ov_core_create: { parameters: ["buffer"], result: "i32" },
  ov_core_free: { parameters: ["pointer"], result: "void" },
  ov_core_get_available_devices: { parameters: ["pointer", "buffer"], result: "i32" },
  ov_available_devices_free: { parameters: ["buffer"], result: "void" },
  ov_core_get_property: { parameters: ["pointer", "buffer", "buffer", "buffer"], result: "i32" },
  ov_core_read_model_from_memory_buffer: {
    parameters: ["pointer", "buffer", "usize", "pointer", "buffer"],
    result: "i32",
  },
  ov_model_free: { parameters: ["pointer"], result: "void" },
  ov_core_compile_model_props: {
    parameters: ["pointer", "pointer", "usize", "usize", "usize", "usize"],
    result: "i32",
    nonblocking: true,
  },
  ov_compiled_model_create_infer_request: { parameters: ["pointer", "buffer"], result: "i32" },
  ov_compiled_model_free: { parameters: ["pointer"], result: "void" },
  ov_infer_request_set_tensor: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },
  ov_infer_request_get_tensor: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  ov_infer_request_infer: { parameters: ["pointer"], result: "i32", nonblocking: true },
  ov_infer_request_cancel: { parameters: ["pointer"], result: "i32" },
  ov_infer_request_free: { parameters: ["pointer"], result: "void" },
  ov_tensor_create: { parameters: ["u32", SHAPE, "buffer"], result: "i32" },
  ov_tensor_get_shape: { parameters: ["pointer", "buffer"], result: "i32" },
  ov_shape_free: { parameters: ["buffer"], result: "i32" },
  ov_tensor_data: { parameters: ["pointer", "buffer"], result: "i32" },
  ov_tensor_get_byte_size: { parameters: ["pointer", "buffer"], result: "i32" },
  ov_tensor_free: { parameters: ["pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

type Functions = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

export interface OpenVinoLibrary {
  readonly path: string;
  readonly functions: Functions;
}

/** What the library's file is called, with and without a version. */
const FILE: Readonly<Record<string, RegExp>> = {
  linux: /^libopenvino_c\.so(\.\d+)*$/,
  darwin: /^libopenvino_c(\.\d+)*\.dylib$/,
  windows: /^openvino_c\.dll$/,
};

let opened: OpenVinoLibrary | undefined;

/**
 * OpenVINO's C library, opened once a process.
 *
 * @throws RangeError where none is found or it is too old, with the places that were searched
 */
export function openVinoLibrary(): OpenVinoLibrary {
  if (opened !== undefined) return opened;
  const given = Deno.env.get(LIBRARY_VARIABLE);
  const places = given ? [given] : searchedFolders();
  for (const place of places) {
    const path = libraryIn(place);
    if (path !== undefined) return opened = openAt(path);
  }
  const where = given
    ? `${LIBRARY_VARIABLE} says ${given}, and there is none`
    : `none was found in ${LIBRARY_VARIABLE}, pip's openvino, the system or openvino-node`;
  throw new RangeError(
    `Cannot compute on openvino: its C library is missing, ${where}. Wanted is \`pip install openvino\` in an active ` +
      `environment, or ${LIBRARY_VARIABLE} naming the folder of libopenvino_c.`,
  );
}

function openAt(path: string): OpenVinoLibrary {
  try {
    const functions = Deno.dlopen(path, SYMBOLS).symbols;
    keepLoaded(path);
    return { path, functions };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const old = reason.includes("ov_core_compile_model_props");
    throw new RangeError(
      `Cannot compute on openvino: ${path} ${
        old ? "is too old, wanted is 2026.4 or newer" : `cannot be loaded (${reason})`
      }.`,
    );
  }
}

/** The library's file, where a path is it or a folder with it; pip's package has it in `libs`. */
function libraryIn(place: string): string | undefined {
  const pattern = FILE[Deno.build.os] ?? FILE.linux;
  if (pattern.test(place.split(/[\\/]/).at(-1) ?? "")) return exists(place) ? place : undefined;
  for (const folder of [place, join(place, "libs")]) {
    const name = namesIn(folder).filter((name) => pattern.test(name)).sort().at(-1);
    if (name !== undefined) return join(folder, name);
  }
  return undefined;
}

/** pip's package in the active environment and the user's, the system's package, openvino-node's folder. */
function searchedFolders(): readonly string[] {
  const prefixes = [Deno.env.get("VIRTUAL_ENV"), Deno.env.get("CONDA_PREFIX"), ".venv", join(homedir(), ".local")];
  const system = Deno.build.os === "windows" ? [] : ["/usr/local", "/usr"];
  const pip = [...prefixes, ...system].flatMap((prefix) => prefix === undefined ? [] : sitePackages(prefix))
    .map((folder) => join(folder, "openvino"));
  const root = Deno.env.get("INTEL_OPENVINO_DIR");
  const installed = root === undefined ? [] : runtimeFolders(root);
  const variable = { linux: "LD_LIBRARY_PATH", darwin: "DYLD_LIBRARY_PATH", windows: "PATH" }[String(Deno.build.os)];
  const loader = (variable === undefined ? "" : Deno.env.get(variable) ?? "").split(delimiter).filter(Boolean);
  const libraries = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib",
  ];
  return [
    ...pip,
    ...installed,
    ...loader,
    ...(Deno.build.os === "windows" ? [] : libraries),
    ...(Deno.build.os === "darwin" ? ["/opt/homebrew/lib"] : []),
    join("node_modules", "openvino-node", "bin"),
  ];
}

function sitePackages(prefix: string): readonly string[] {
  if (Deno.build.os === "windows") return [join(prefix, "Lib", "site-packages")];
  const versions = namesIn(join(prefix, "lib")).filter((name) => /^python3/.test(name));
  return versions.flatMap((name) =>
    ["site-packages", "dist-packages"].map((packages) => join(prefix, "lib", name, packages))
  );
}

/** Intel's archive: `runtime/lib/intel64`, on Windows `runtime/bin/intel64/Release`. */
function runtimeFolders(root: string): readonly string[] {
  const base = join(root, "runtime", Deno.build.os === "windows" ? "bin" : "lib");
  return namesIn(base).flatMap((arch) => [join(base, arch), join(base, arch, "Release")]);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
