/** A command that keeps JavaScript waiting, as a network's run does, and says when it begins to. */

import { type Command, main } from "../../lib/cli/args.ts";

const [way] = Deno.args;

const stopped: Command = {
  name: "stopped",
  about: "For a test.",
  options: {},
  examples: [],
  kept: "All is well.",
  async run(_, { signal }) {
    await new Promise((resolve) => setTimeout(resolve, 200)); // until the other thread listens
    console.log("begins");
    const end = performance.now() + (way === "blocks" ? 20_000 : 300);
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve, 50));
    signal.throwIfAborted();
    console.log("was not stopped");
  },
};

await main(stopped, []);
