import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readPicture } from "../../lib/view/picture.ts";

Deno.test("demo writes its figures, names them, and tells what teacher and student cost", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        "lib/cli/demo.ts",
        "--steps",
        "2",
        "--out",
        `${folder}/new`,
        "--store",
        `${folder}/runs`,
      ],
    }).output();
    equal(new TextDecoder().decode(stderr), "");
    equal(code, 0);
    const text = new TextDecoder().decode(stdout);
    const named = [...text.matchAll(/^\S+\.png/gm)].map(([path]) => path);
    deepEqual(named, [`${folder}/new/demo-comparison.png`, `${folder}/new/demo-steps.png`]);
    deepEqual([...Deno.readDirSync(`${folder}/new`)].length, 2, "and nothing else is left there");
    for (const path of named) {
      const { shape, data } = await readPicture(path);
      ok(shape[3] > 800, "two device pixels for each on the page");
      ok(data.some((value) => value < 0.1) && data.some((value) => value > 0.9));
    }
    match(text, /\nbase +2 +\d/);
    match(text, /\nLightning +4 +\d/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
