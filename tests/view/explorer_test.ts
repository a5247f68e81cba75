import { equal, match, ok, rejects, throws } from "node:assert/strict";
import { explorer } from "../../lib/view/explorer.ts";
import { slider } from "../../lib/view/slider.ts";
import { disc, observed, PaintingDecoder, sampleRun, sampleSteps } from "./samples.ts";
import { haveChromium, opened, pagePng } from "./browser.ts";
import { inFolder } from "../files.ts";
import { matchSnapshot } from "./snapshot.ts";

const decode = new PaintingDecoder();
const runs = [
  { name: "one <b>model</b>", step: sampleRun(0), decode },
  { name: "another", step: sampleRun(1), decode },
  { name: "with attention", step: sampleSteps(1, observed())[1], decode },
];

interface Fault {
  readonly id: string;
  readonly impact: string;
}

/** axe-core's findings of serious weight, in the page itself. */
async function seriousFaults(page: { evaluate<T>(script: string): Promise<T> }): Promise<Fault[]> {
  await page.evaluate(await Deno.readTextFile(new URL(import.meta.resolve("axe-core/axe.min.js"))));
  const found = await page.evaluate<Fault[]>(
    "axe.run().then((r) => r.violations.map(({ id, impact }) => ({ id, impact })))",
  );
  return found.filter(({ impact }) => impact === "serious" || impact === "critical");
}

Deno.test({
  name:
    "the explorer works from a file: arrow keys step, nothing is asked for, nothing complains, axe finds nothing serious",
  ignore: !haveChromium,
  fn: () =>
    inFolder(async (folder) => {
      await explorer(runs, { title: "Three runs" }).save(`${folder}/runs.html`);
      for (const scheme of ["light", "dark"] as const) {
        await opened(`${folder}/runs.html`, async ({ page, requests, complaints }) => {
          await page.emulateMedia({ colorScheme: scheme });
          const text = (id: string) => page.locator(`#${id}`).textContent();
          equal(await page.title() + await page.locator("h1").textContent(), "Three runsThree runs");
          equal(await text("prompt"), "one <b>model</b>: waves");
          equal(await text("where"), "step 4 of 4");
          await page.keyboard.press("ArrowLeft");
          equal(await text("where"), "step 3 of 4");
          await page.keyboard.press("Home");
          equal(await text("where"), "step 1 of 4");
          await page.keyboard.press("ArrowLeft");
          equal(await text("where"), "step 1 of 4", "it stays at the end");
          await page.keyboard.press("ArrowDown");
          equal(await text("prompt"), "another: waves");
          match(await text("facts") ?? "", /σ14\.6timestep999step33 ms/);
          await page.keyboard.press("ArrowDown");
          match(await text("pictures") ?? "", /attention to “red”, at most 30 %/);
          const broken = await page.evaluate<number>(
            "[...document.images].filter((i) => !i.naturalWidth || !i.alt).length",
          );
          equal(broken, 0, "every picture is there and has words");
          await matchSnapshot(`explorer-${scheme}`, await pagePng(page));
          await page.keyboard.press("ArrowUp");
          equal((await seriousFaults(page)).map(({ id }) => id).join(), "");
          equal(requests.join(), "");
          equal(complaints.join(), "");
        });
      }
    }),
});

Deno.test({
  name: "a slider's frames move, with words; axe finds nothing serious",
  ignore: !haveChromium,
  fn: () =>
    inFolder(async (folder) => {
      await slider(sampleRun(1).path.slice(1), { decode, heading: "x0, step by step" }).save(`${folder}/slider.html`);
      await opened(`${folder}/slider.html`, async ({ page, requests, complaints }) => {
        const seen = () => page.locator("img:visible").getAttribute("alt");
        match(await page.locator("output").textContent() ?? "", /step 4 of 4/);
        const before = await seen();
        await page.locator("input").focus();
        await page.keyboard.press("ArrowLeft");
        match(await page.locator("output").textContent() ?? "", /step 3 of 4, σ 1\.61 · t 499/);
        ok(await seen() !== before);
        equal(await page.locator("img:visible").count(), 1);
        equal((await seriousFaults(page)).map(({ id }) => id).join(), "");
        equal(requests.join() + complaints.join(), "");
      });
    }),
});

if (!haveChromium) {
  console.log("Chromium is not here: the pages are not opened. Install chromium, or set FEWSTEP_CHROMIUM.");
}

Deno.test("a slider's frames stand on one sheet too; frames and labels must match", async () => {
  const shown = slider([disc(0), disc(0.5), disc(1)], {
    labels: ["0", "½", "1"],
    name: "hue",
    heading: "Hues",
    cell: 96,
  });
  await matchSnapshot("slider-sheet", await shown.sheet.png());
  match(await shown.html(), /aria-valuetext="1"/);
  match(await shown.sheet.alt(), /^Hues: all frames of the slider/);
  throws(() => slider([]), /at least one frame/);
  throws(() => slider([disc(0)], { labels: [] }), /Cannot put 0 labels on 1 frames/);
});

Deno.test("six prompts and four models fit into 10 MB; what cannot fit is refused", async () => {
  const many = Array.from({ length: 24 }, (_, index) => ({ name: `run ${index}`, step: sampleRun(1), decode }));
  const page = await explorer(many).html();
  ok(page.length < 10e6, `${page.length} bytes`);
  ok(!/https?:\/\//.test(page.replaceAll("http://www.w3.org", "")), "no address of another server stands in it");
  await rejects(explorer(runs, { limit: 10_000 }).html(), /Cannot put 3 runs into 0\.01 MB/);
  throws(() => explorer([]), /no runs/);
  throws(() => explorer([{ name: "idle", step: sampleSteps()[0] }]), /Cannot explore idle: it has taken no step/);
});
