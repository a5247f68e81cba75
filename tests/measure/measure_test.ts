/** Time and memory: the arithmetic of a spread, and rows of a real model. */

import { measure, open } from "fewstep";
import { readMemory, resetPeak } from "fewstep/measure/memory.ts";
import { repeat, spread } from "fewstep/measure/stopwatch.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { goldenPath } from "../goldens/read.ts";

Deno.test("a spread is least, middle and most, whatever the order; of two, the middle is between", () => {
  equal(spread([5, 1, 9]), { min: 1, median: 5, max: 9 });
  equal(spread([4, 2]), { min: 2, median: 3, max: 4 });
  equal(spread([10, 2, 100]), { min: 2, median: 10, max: 100 });
});

Deno.test("warm-ups run and don't count; a signal stops between runs", async () => {
  let runs = 0;
  equal(await repeat(() => Promise.resolve(runs++), { warmups: 2, repeats: 3 }), [2, 3, 4]);
  const stop = new AbortController();
  runs = 0;
  const stopped = repeat(() => Promise.resolve(++runs === 2 && stop.abort(new Error("Stopped."))), stop);
  await throwsSentence(() => stopped, "Stopped.");
  equal(runs, 2);
  await throwsSentence(() => repeat(() => Promise.resolve(), { repeats: 0 }), /repeats 0: .* from 1/);
});

Deno.test("measure: a row for each number of steps, its times those of the runs", async () => {
  await using model = await open(goldenPath("tiny-deep"));
  const request = { prompt: "gold", seed: 1, recipe: "none", size: { width: 64, height: 64 } } as const;
  let runs = 0;
  const counted = {
    checkpoint: model.checkpoint,
    generate: (...[asked, options]: Parameters<typeof model.generate>) => (runs++, model.generate(asked, options)),
  };
  const rows = await measure(counted, { request, steps: [1, 3], repeats: 2 });
  equal(runs, 6);
  equal(rows.map(({ model, steps, repeats }) => [model, steps, repeats]), [["tiny-deep", 1, 2], ["tiny-deep", 3, 2]]);
  for (const { steps, begin, denoise, decode, total, perStep, memory } of rows) {
    equal(perStep, denoise.median / steps);
    ok(denoise.min > 0 && decode.min > 0, "no time was taken");
    ok(total.min >= begin.min + denoise.min + decode.min, "the total is less than its parts");
    ok(memory.peak >= memory.resident && memory.resident > 1e6, `${memory.peak} and ${memory.resident} bytes`);
  }
});

Deno.test({
  name: "the peak is that of what came after it was reset",
  ignore: Deno.build.os !== "linux",
  fn() {
    const bytes = new Uint8Array(300e6).fill(1);
    bytes.buffer.transfer(0); // gives the memory back at once, where a collector would take its time
    const before = readMemory().peak;
    resetPeak();
    const { resident, peak } = readMemory();
    ok(before - peak > 200e6, `the peak fell from ${before} to ${peak} bytes`);
    ok(peak >= resident, `${peak} is no peak of ${resident} bytes`);
  },
});
