/** The API reference lacks nothing: what `deno task docs` writes, its lint has read. */

import { equal } from "node:assert/strict";

Deno.test("every public name has a docstring, and every type that one mentions is public", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "lib/mod.ts"],
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  const faults = [...new TextDecoder().decode(stderr).matchAll(/^error\[[^]*?-->.*$/gm)].map(([fault]) => fault);
  equal(faults.join("\n"), "");
  equal(success, true, new TextDecoder().decode(stderr));
});
