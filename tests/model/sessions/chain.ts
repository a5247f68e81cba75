/** A network of one operation many times over, as long and as heavy as a test wants it, and what ends its runs. */

import { join } from "node:path";
import { ok, throwsSentence } from "../../assert.ts";
import { externalTensor, modelBytes, type Network, node } from "fewstep/graph/proto.ts";

/**
 * x·Wᵀ so many times, with the same W `[side, side]`, and x once more at the end: zeros in a file that takes no room on
 * the disk.
 */
export async function chain(folder: string, side: number, count: number): Promise<Network> {
  const file = join(folder, `${side}.bin`);
  await Deno.writeFile(file, new Uint8Array(0));
  await Deno.truncate(file, 4 * side * side);
  const weight = { key: "W", file, dtype: "F32", shape: [side, side], offset: 0, byteLength: 4 * side * side } as const;
  const products = Array.from({ length: count }, (_, i) =>
    node({
      name: `layer.${i}/FusedMatMul`,
      opType: "FusedMatMul",
      domain: "com.microsoft",
      inputs: [i === 0 ? "x" : `x${i}`, "W"],
      outputs: [`x${i + 1}`],
      attributes: { transB: 1 },
    }));
  const nodes = [...products, node({ name: "Add", opType: "Add", inputs: [`x${count}`, "x"], outputs: ["y"] })];
  const [inputs, outputs] = ["x", "y"].map((name) => [{ name, dtype: "float32", shape: ["rows", side] } as const]);
  const name = "chain";
  const bytes = modelBytes({ name, nodes, inputs, outputs, initializers: [externalTensor(weight, folder)] });
  return { name, bytes, root: folder, inputs, outputs, observable: [] };
}

/**
 * Aborts a run after a twentieth of the time that a whole one takes: it must end within a quarter of that.
 *
 * @returns the signal, which stays aborted
 */
export async function endedInItsMidst(
  run: (options: { readonly signal?: AbortSignal }) => Promise<unknown>,
): Promise<AbortSignal> {
  const before = performance.now();
  await run({});
  const whole = performance.now() - before;
  const stop = new AbortController();
  let aborted = 0;
  const timer = setTimeout(() => {
    aborted = performance.now();
    stop.abort(new Error("Stopped by the test."));
  }, whole / 20);
  await throwsSentence(() => run({ signal: stop.signal }), "Stopped by the test.");
  const took = performance.now() - aborted;
  clearTimeout(timer);
  ok(took < whole / 4, `${took} ms to stop, a whole run takes ${whole}`);
  return stop.signal;
}
