import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { inNumbers, progress, type ProgressState, withProgress } from "../../lib/view/progress.ts";
import { formatCell, isTable, tableHtml, tableText } from "../../lib/view/table.ts";
import { formatBytes, formatMilliseconds } from "../../lib/view/step.ts";
import { disc, sampleSteps, waves } from "./samples.ts";
import "../../lib/view/inspect.ts";
import { display } from "../../lib/view/notebook.ts";
import { show } from "../../lib/view/show.ts";
import { strip } from "../../lib/view/strip.ts";
import { Tensor } from "../../lib/tensor/tensor.ts";

/** What `show` prints outside of a notebook. */
async function printed(value: unknown): Promise<string> {
  const lines: unknown[] = [];
  const log = console.log;
  console.log = (...args: unknown[]) => lines.push(...args);
  try {
    await show(value);
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

Deno.test("outside of a notebook, show prints words and says how to get the picture", async () => {
  const [, first] = sampleSteps();
  match(await printed(first), /^step 1 of 4 · σ 14\.6 → 4\.08 · t 999 · 33 ms/);
  match(await printed(disc(0)), /^picture \[1, 3, 64, 64\] \(write it with savePicture/);
  match(await printed(waves()), /^latent \[1, 4, 8, 8\]$/);
  match(await printed(Tensor.zeros([2])), /^tensor \[2\]$/);
  match(
    await printed(strip([disc(0)], { heading: "One disc" })),
    /^One disc \(a figure of \d+×\d+; write it with \.save/,
  );
  equal(await printed("words"), "words");
  equal(await printed({ a: 1 }), "{ a: 1 }");
  equal(await printed([{ model: "base", seconds: 5.25 }]), "model  seconds\nbase      5.25");
});

Deno.test("a step, a tensor and a figure print in a line, not in a hundred pages", () => {
  const [, first] = sampleSteps();
  equal(Deno.inspect(waves()), "Tensor [1, 4, 8, 8]");
  match(Deno.inspect({ step: first }), /^\{\s+step: Step \(step 1 of 4 · .*\)\s+\}$/);
  match(Deno.inspect(strip([disc(0)])), /^Figure \(await show/);
});

Deno.test("an output of more than 16 MB is refused: it would break the kernel's protocol", async () => {
  await rejects(display({ "text/plain": "x".repeat(17 * 1024 * 1024) }), /17\.0 MB: a cell shows up to 16 MB/);
  await rejects(display({ "text/plain": "x" }), /this is no notebook/);
});

Deno.test("a table lines up: words to the left, numbers to the right, a missing value empty", () => {
  const rows = [{ model: "base", seconds: 5.123456, steps: 50 }, { model: "lightning", steps: 4, note: "a < b" }];
  equal(
    tableText(rows),
    ["model      seconds  steps  note", "base         5.123     50", "lightning               4  a < b"].join("\n"),
  );
  match(tableHtml(rows), /<td style="text-align:left">a &lt; b<\/td>/);
  equal(isTable(rows), true);
  equal(isTable([]), false);
  equal(isTable([{ nested: [1] }]), false);
  equal(isTable([new Date()]), false);
});

Deno.test("numbers in cells keep four digits, and all digits of whole numbers", () => {
  deepEqual([0, 1234567, 0.000012345, 12.34567, 123456.789, NaN, 10n, undefined].map((value) => formatCell(value)), [
    "0",
    "1234567",
    "1.23e-5",
    "12.35",
    "123457",
    "NaN",
    "10",
    "",
  ]);
});

Deno.test("times and sizes read as people say them", () => {
  deepEqual([3.217, 33.4, 647.4, 5200, 61_234].map(formatMilliseconds), [
    "3.2 ms",
    "33 ms",
    "647 ms",
    "5200 ms",
    "61.2 s",
  ]);
  deepEqual([184e6, 1.25e9].map(formatBytes), ["184 MB", "1.25 GB"]);
});

Deno.test("progress tells steps done, elapsed, remaining and time per step", async () => {
  let clock = 1000;
  const seen: string[] = [];
  const draw = (state: ProgressState) => void seen.push(inNumbers(state));
  const bar = await progress({ label: "run", total: 4, now: () => clock, draw });
  clock += 500;
  await bar.advance();
  clock += 1500;
  await bar.advance();
  clock += 99;
  await bar.advance(); // too soon to draw again
  clock += 199_901;
  await bar.advance();
  await bar.end();
  deepEqual(seen, [
    "0/4 · 0.00 s",
    "1/4 · 0.50 s · 1.5 s left · 0.50 s each",
    "2/4 · 2.0 s · 2.0 s left · 1.0 s each",
    "4/4 · 3 min 22 s · 50.5 s each",
    "4/4 · 3 min 22 s · 50.5 s each",
  ]);
});

Deno.test("withProgress passes the steps on, and ends its bar when the loop is left", async () => {
  const [noise, first] = sampleSteps();
  async function* run() {
    yield first;
    yield await Promise.resolve(noise);
  }
  const seen: string[] = [];
  const draw = ({ done, total, ended }: ProgressState) => void seen.push(`${done}/${total}${ended ? " ended" : ""}`);
  for await (const step of withProgress(run(), { draw, now: () => 0 })) {
    equal(step, first);
    break;
  }
  deepEqual(seen, ["0/4", "1/4 ended"]);
});
