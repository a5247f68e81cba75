/**
 * Assembles normals.wat with WABT into normals.ts, which the kit loads: nobody who runs it needs the assembler.
 *
 * Command: deno task wasm
 */

import wabt from "wabt";

/** The module's text as the module of TypeScript that holds it. */
export async function assembled(): Promise<string> {
  const text = await Deno.readTextFile(new URL("normals.wat", import.meta.url));
  const module = (await wabt()).parseWat("normals.wat", text, { simd: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines = new Uint8Array(buffer).toBase64().match(/.{1,110}/g) ?? [];
  return [
    "/** normals.wat, assembled by `deno task wasm`: WebAssembly in base64. */",
    "export const NORMALS = `",
    ...lines,
    "`;\n",
  ].join("\n");
}

if (import.meta.main) await Deno.writeTextFile(new URL("normals.ts", import.meta.url), await assembled());
