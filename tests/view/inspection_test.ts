import { inspect, show } from "fewstep";
import { inspectionHtml, inspectionText } from "../../lib/view/inspection.ts";
import { match } from "node:assert/strict";
import { join } from "node:path";
import { equal, ok } from "../assert.ts";
import { haveChromium, opened, pagePng } from "./browser.ts";
import { inFolder } from "../files.ts";
import { layouts, write } from "../layouts.ts";
import { matchSnapshot } from "./snapshot.ts";

Deno.test("show prints an inspection as the terminal's report", async () => {
  const inspection = await inspect("models/pocket/base");
  const lines: string[] = [];
  const log = console.log;
  console.log = (text: string) => lines.push(text);
  try {
    await show(inspection);
  } finally {
    console.log = log;
  }
  equal(lines, [inspectionText(inspection)]);
});

Deno.test("a cell gets tables, and a name from a file is never markup", () =>
  inFolder(async (folder) => {
    const path = join(folder, "unet.safetensors");
    await write(path, layouts["unet-diffusers"], (tensors) => {
      tensors.set("<script>alert(1)</script>", { dtype: "F32", shape: [1], bytes: new Uint8Array(4) });
    });
    const html = inspectionHtml(await inspect(path));
    equal(html.match(/<table>/g)?.length, 4);
    match(html, /&lt;script&gt;alert\(1\)/);
    ok(!html.includes("<script"), "markup of a file's name");
  }));

Deno.test({
  name: "a sheet in a cell is drawn as its snapshot: facts, alarms, tables, commands",
  ignore: !haveChromium,
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "page.html");
      const html = inspectionHtml(await inspect("data/goldens/tiny-sdxl"));
      await Deno.writeTextFile(path, `<!doctype html><html lang="en"><title>sheet</title><body>${html}</body></html>`);
      await opened(path, async ({ page }) => await matchSnapshot("inspection", await pagePng(page)));
    }),
});

Deno.test("a mixed part says so, with the tensors of each type", () =>
  inFolder(async (folder) => {
    const path = join(folder, "unet.safetensors");
    await write(path, layouts["unet-diffusers"], (tensors) => {
      tensors.set("conv_in.weight", { dtype: "F32", shape: [32, 4, 3, 3], bytes: new Uint8Array(4 * 32 * 4 * 9) });
    });
    match(
      inspectionText(await inspect(path)),
      new RegExp(`\\nunet .* mixed: ${layouts["unet-diffusers"].length - 1} F16, 1 F32 `),
    );
  }));

Deno.test("columns that hold nothing but zeros are left out; missing and unknown never", async () => {
  const text = inspectionText(await inspect("models/pocket/base"));
  match(text, /\ntensors of +read +cast +unread +missing +unknown\n/);
});
