/** The other side of call_thread.ts: makes the calls that it is sent, one after the other. */

import { parentPort } from "node:worker_threads";
import * as v from "valibot";
import { callMessage } from "./call_thread.ts";

/** A function of addresses and lengths that gives an address. */
interface Called {
  readonly parameters: "usize"[];
  readonly result: "pointer";
}

parentPort?.on("message", (message) => {
  const { id, address, words } = v.parse(callMessage, message);
  try {
    const pointer = Deno.UnsafePointer.create<Called>(address);
    if (pointer === null) throw new RangeError("Cannot call a function that is not there.");
    const parameters = words.map((): "usize" => "usize");
    const result = new Deno.UnsafeFnPointer(pointer, { parameters, result: "pointer" }).call(...words);
    parentPort?.postMessage({ id, result: Deno.UnsafePointer.value(result) });
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
