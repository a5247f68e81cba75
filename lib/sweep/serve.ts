/** A process that runs tasks for another one, which it hears on stdin and answers on stdout. */

import * as v from "valibot";
import { GroupError, LocalLane } from "./lane.ts";
import { type MakerHooks, type OpenMaker, openMaker } from "./maker.ts";
import { type Answer, linesOf, MARK, orderSchema } from "./messages.ts";
import { openPlace } from "./place.ts";
import { checkKey } from "./check_key.ts";
import { openPacer, type Pacer } from "./pace.ts";

/**
 * Answers orders until stdin ends, and ends the process then: nothing goes on without the one that wanted it.
 *
 * @param open what makes the cells. Default: the model of the task's group
 */
export async function serve(open: OpenMaker = openMaker): Promise<never> {
  // Ctrl+C in a terminal goes to every process under it: the one that gives orders decides what it means.
  Deno.addSignalListener("SIGINT", () => {});
  const orders: string[] = [];
  let wake = () => {};
  (async () => {
    for await (const line of linesOf(Deno.stdin.readable)) {
      orders.push(line);
      wake();
    }
    Deno.exit(0);
  })();
  const answer = (message: Answer) => {
    const bytes = new TextEncoder().encode(`${MARK}${JSON.stringify(message)}\n`);
    for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
  };
  const warn = (message: string) => answer({ is: "warning", message });
  let lane: LocalLane | undefined;
  let paced: { readonly of: string; readonly pacer: Pacer } | undefined;
  for (;;) {
    const line = orders.shift();
    if (line === undefined) {
      await new Promise<void>((resolve) => (wake = resolve));
      continue;
    }
    try {
      const order = v.parse(orderSchema, JSON.parse(line));
      if (order.do === "begin") {
        const hooks: MakerHooks = order.check === "keys" ? { warn, check: checkKey() } : { warn };
        lane = new LocalLane({ files: await openPlace(order.place), open, ...hooks });
        answer({ is: "ready" });
      } else if (order.do === "pace") {
        const of = JSON.stringify([order.group, order.task]);
        if (paced?.of !== of) {
          await paced?.pacer[Symbol.asyncDispose]();
          paced = undefined;
          paced = { of, pacer: await openPacer(order.group, order.task) };
        }
        answer({ is: "paced", ...await paced.pacer.measure(order.seconds) });
      } else {
        if (lane === undefined) throw new GroupError("Cannot run a cell: it was not told where files go.");
        answer({ is: "finished", receipt: await lane.run(order.group, order.task) });
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      answer({ is: "refused", of: error instanceof GroupError ? "group" : "cell", message });
    }
  }
}
