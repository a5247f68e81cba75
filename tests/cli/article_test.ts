import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readProvenance } from "fewstep";
import { inFolder } from "../files.ts";

async function article(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "article", ...args], // with the permissions that the task has
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

const drawnAnew = (stdout: string) => Number(/\((\d+) drawn anew\)/.exec(stdout)?.[1]);

Deno.test("article: figures and tables of what is there; again from the store only what changed is drawn", () =>
  inFolder(async (folder) => {
    const out = `${folder}/new/figures`;
    const asked = [
      "--sections",
      "lightning",
      "--prompt",
      "sunflower, meadow",
      "--seeds",
      "7",
      "--formats",
      "svg,csv,parquet",
    ];
    const args = [...asked, "--out", out, "--store", `${folder}/runs`];
    const first = await article(...args);
    equal(first.code, 0, first.stderr);
    for (const line of first.stderr.trim().split("\n").filter((line) => line !== "")) {
      match(
        line,
        /^Missing: Lightning .*\. There is no .*\.safetensors\.$|is a folder: the model departs/,
        "and progress is silent",
      );
    }
    const names = [...Deno.readDirSync(out)].map(({ name }) => name).sort();
    deepEqual(
      names.filter((name) => name.startsWith("costs")),
      ["csv", "csv.json", "parquet", "parquet.json"].map((ending) => `costs.${ending}`),
    );
    const { runs } = await readProvenance(`${out}/all.svg`);
    ok(runs.length >= 2, "a full checkpoint and a U-Net");
    deepEqual([...new Set(runs.map(({ request: { prompt, seed } }) => `${prompt} ${seed}`))], ["sunflower, meadow 7"]);
    const figures = names.filter((name) => /\.(svg|csv)$/.test(name)).length; // a table is one, in two forms
    equal(drawnAnew(first.stdout), figures);

    equal(drawnAnew((await article(...args)).stdout), 0);
    await Deno.remove(`${out}/memory.svg`);
    await Deno.writeTextFile(`${out}/costs.csv`, "edited");
    equal(drawnAnew((await article(...args)).stdout), 2);
    ok((await Deno.readTextFile(`${out}/costs.csv`)).startsWith("model,"), "written anew");
  }));

Deno.test("article: what is no section, family or format is refused in a sentence", async () => {
  for (const [option, value] of [["--sections", "base,light"], ["--family", "big"], ["--formats", "gif"]]) {
    const { code, stderr } = await article(option, value);
    equal(code, 2);
    match(stderr, new RegExp(`^Cannot use ${option} "[a-z,]+": wanted (is|are) [^\n]*\\.\n$`));
  }
});
