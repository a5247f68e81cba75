/** A command that keeps JavaScript waiting, or runs a network and heeds no stop; it says when it begins to. */

import { type Command, main } from "../../lib/cli/args.ts";
import { open } from "../../lib/mod.ts";

const [way] = Deno.args;

const stopped: Command = {
  name: "stopped",
  about: "For a test.",
  options: {},
  examples: [],
  kept: "All is well.",
  async run(_, { signal }) {
    await new Promise((resolve) => setTimeout(resolve, 1000)); // until the other thread listens
    if (way === "runs") return await runs();
    console.log("begins");
    const end = performance.now() + (way === "blocks" ? 20_000 : 300);
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve, 50));
    signal.throwIfAborted();
    console.log("was not stopped");
  },
};

async function runs(): Promise<void> {
  await using model = await open("models/pocket/base");
  const step = await model.begin({ prompt: "owl", seed: 2, steps: 4, size: { width: 384, height: 384 } });
  setTimeout(() => console.log("begins"), 300);
  for (;;) await model.next(step);
}

await main(stopped, []);
