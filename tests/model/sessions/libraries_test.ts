/** NVIDIA's libraries from pip's packages: any library stands in for them here. */

import { dirname, join } from "node:path";
import { loadNvidiaBeside, namesIn } from "fewstep/model/sessions/libraries.ts";
import { equal, ok } from "../../assert.ts";
import { inFolder } from "../../files.ts";

const linux = Deno.build.os === "linux";
const maps = () => Deno.readTextFileSync("/proc/self/maps");

Deno.test({
  name: "libraries in pip's packages beside ONNX Runtime's are loaded, whatever their folder is called, and no others",
  ignore: !linux,
  fn: () =>
    inFolder(async (given) => {
      const folder = await Deno.realPath(given);
      const any = maps().match(/\/\S+\/libm\.so\.6$/m)?.[0];
      if (any === undefined) throw new Error("Deno has no libm to stand in for a library.");
      const [wanted, other] = ["cu13/lib/libcurand.so.10", "cu13/lib/libnpp.so.13"].map((name) =>
        join(folder, "nvidia", name)
      );
      for (const path of [wanted, other]) {
        await Deno.mkdir(dirname(path), { recursive: true });
        await Deno.copyFile(any, path);
      }
      loadNvidiaBeside(join(folder, "onnxruntime", "capi"));
      ok(maps().includes(wanted), "libcurand was not loaded");
      equal(maps().includes(other), false);
    }),
});

Deno.test("where there are no packages of NVIDIA's nothing is loaded, and nothing thrown", () =>
  inFolder((folder) => {
    loadNvidiaBeside(join(folder, "onnxruntime", "capi"));
    equal(namesIn(join(folder, "nvidia")), []);
    return Promise.resolve();
  }));
