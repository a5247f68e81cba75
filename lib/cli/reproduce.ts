/** `deno task reproduce`: what an exported file says made it, made again and compared. */

import type { ReproducedRun } from "../model/reproduce.ts";
import { type Command, main } from "./args.ts";

export const reproduceCommand: Command = {
  name: "reproduce",
  about: "Runs again what made an exported picture, figure or table, and says whether it came out the same.",
  positional: { value: "FILE", about: "a .png, .webp, .svg or .pdf of this kit; a table, with FILE.json beside it" },
  options: {
    models: { value: "FOLDER", about: "where models and LoRAs lie that are not where the file says" },
    out: { value: "FOLDER", about: "keep the pictures: FOLDER/run-0.png, …" },
    show: { about: "print what made the file, as JSON, and run nothing" },
    json: { about: "print one JSON object: each run with both digests" },
  },
  examples: ["deno task reproduce tiger.png", "deno task reproduce figures/comparison.pdf --models ~/checkpoints"],
  async run(args, { signal }) {
    const file = args.positional("FILE", "an exported file, for example tiger.png");
    const { readProvenance } = await import("../view/carry.ts");
    const provenance = await readProvenance(file);
    if (args.has("show")) return console.log(JSON.stringify(provenance, null, 2));
    const { reproduceRuns } = await import("../model/reproduce.ts");
    const { progress } = await import("../view/progress.ts");
    const bar = await progress({ label: "reproducing", total: Math.max(1, provenance.runs.length) });
    const runs = await reproduceRuns(provenance, {
      folder: args.text("models"),
      signal,
      warn: (message) => console.error(message),
      onRun: () => void bar.advance(),
    }).finally(() => bar.end());
    const out = args.text("out");
    const files = out === undefined ? [] : await keep(runs, out);
    const same = runs.filter((run) => run.same).length;
    if (args.has("json")) {
      console.log(JSON.stringify({ same, runs: runs.map(inJson), files }, null, 2));
    } else {
      for (const { run: { request, digest: wanted }, digest, same } of runs) {
        const what = `${request.recipe ?? "base"}, seed ${request.seed.join(", ")}: ${request.prompt}`;
        console.log(
          same ? `same       ${what}` : `different  ${what} (${digest.slice(0, 12)}, not ${wanted.slice(0, 12)})`,
        );
      }
      for (const file of files) console.log(file);
    }
    if (same === runs.length) return;
    throw new Error(
      `${
        runs.length - same
      } of ${runs.length} runs came out different: other bits are no wonder on another processor ` +
        `or version (the file's: ${[provenance.machine, ...Object.values(provenance.software)].join(", ")}). ` +
        "Keep the pictures with --out and look.",
    );
  },
};

const inJson = ({ run, digest, same }: ReproducedRun) => ({
  prompt: run.request.prompt,
  seed: run.request.seed,
  digest,
  wanted: run.digest,
  same,
});

/** The pictures of each run; of a run of which the file shows one, that one. */
async function keep(runs: readonly ReproducedRun[], folder: string): Promise<string[]> {
  const { savePicture } = await import("../view/picture.ts");
  const files: string[] = [];
  for (const [index, { run: { picture }, image }] of runs.entries()) {
    const all = Array.from({ length: image.shape[0] }, (_, index) => index);
    for (const shown of picture === undefined ? all : [picture]) {
      const file = `${folder}/run-${index}${picture === undefined && all.length > 1 ? `-${shown}` : ""}.png`;
      await savePicture(image.slice(shown, shown + 1), file);
      files.push(file);
    }
  }
  return files;
}

if (import.meta.main) await main(reproduceCommand);
