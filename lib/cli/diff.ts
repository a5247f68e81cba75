/** `deno task diff`: where two runs part, and why. */

import { type Command, main } from "./args.ts";

export const diffCommand: Command = {
  name: "diff",
  about: "Says where two runs part and what most likely makes it: why the same seed gives another picture elsewhere.",
  positional: { value: "FILE", about: "a record, as generate --record writes it" },
  stops: "at once",
  options: {
    with: { value: "FILE", about: "the other run: a record, or another tool's tensors under the same names" },
    tolerance: { value: "F", about: "a factor on what counts as the same: 1 (default) in float32, 100 against fp16" },
    json: { about: "print one JSON object" },
  },
  examples: ["deno task diff ours.safetensors --with diffusers.safetensors"],
  async run(args) {
    const ours = args.positional("FILE", "a record, for example run.safetensors");
    const theirs = args.required("with", "the run to compare with, for example other.safetensors");
    const tolerance = args.number("tolerance", "a number above 0", { least: 1e-9 });
    const { diff } = await import("../model/diff.ts");
    const comparison = await diff(ours, theirs, { tolerance });
    if (args.has("json")) return console.log(JSON.stringify(comparison, null, 2));
    const { tableText } = await import("../view/table.ts");
    const rows = comparison.differences.map(({ key, step, relativeL2, tolerance, same }) => ({
      tensor: step === undefined ? key : `${key} ${step}`,
      "relative L2": relativeL2.toExponential(1),
      allowed: tolerance.toExponential(1),
      same: same ? "yes" : "no",
    }));
    console.log(tableText(rows));
    const { first, cause, missing } = comparison;
    if (missing.length > 0) console.log(`\nOnly in one of them: ${missing.join(", ")}.`);
    if (first === undefined) return console.log("\nThe same run, as far as both tell it.");
    const where = first.step === undefined ? first.key : `${first.key} at step ${first.step}`;
    console.log(`\nThey part at ${where}. ${cause ?? ""}`.trimEnd());
  },
};

if (import.meta.main) await main(diffCommand);
