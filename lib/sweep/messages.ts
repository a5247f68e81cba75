/** What a sweep and the processes that run its cells tell each other: a JSON object a line, over standard streams. */

import * as v from "valibot";
import { receiptSchema } from "./schema.ts";
import { type Group, groupSchema, type Task, taskSchema } from "./task.ts";

/** Begins an answer's line: whatever else is printed is passed on as it is. */
export const MARK = "@fewstep ";

/** To the process: where files go, then one task after the other. */
export const orderSchema = v.variant("do", [
  v.object({ do: v.literal("begin"), place: v.string(), check: v.picklist(["keys", "nothing"]) }),
  v.object({ do: v.literal("run"), group: groupSchema, task: taskSchema }),
  v.object({ do: v.literal("pace"), group: groupSchema, task: taskSchema, seconds: v.number() }),
]);
export type Order =
  | { readonly do: "begin"; readonly place: string; readonly check: "keys" | "nothing" }
  | { readonly do: "run"; readonly group: Group; readonly task: Task }
  | { readonly do: "pace"; readonly group: Group; readonly task: Task; readonly seconds: number };

/** From the process. */
export const answerSchema = v.variant("is", [
  v.object({ is: v.literal("ready") }),
  v.object({ is: v.literal("finished"), receipt: receiptSchema }),
  v.object({ is: v.literal("paced"), stepsPerSecond: v.number(), memory: v.number() }),
  v.object({ is: v.literal("refused"), of: v.picklist(["cell", "group"]), message: v.string() }),
  v.object({ is: v.literal("warning"), message: v.string() }),
]);
export type Answer = v.InferOutput<typeof answerSchema>;

/** Lines of a stream of text. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
