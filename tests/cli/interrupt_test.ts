/** Ctrl-C and SIGTERM on real processes. */

import { inFolder } from "../files.ts";
import { equal, ok } from "../assert.ts";

const windows = Deno.build.os === "windows"; // sends no signals to other processes

/** Starts a script, sends it signals once it says "begins" or so many milliseconds later, and waits for its end. */
async function stopped(
  args: readonly string[],
  { after, signals }: { readonly after: number; readonly signals: readonly Deno.Signal[] },
) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  let stdout = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) stdout += text;
  })();
  const began = performance.now();
  while (!stdout.includes("begins") && performance.now() - began < after) await pause(20);
  const sent = performance.now();
  for (const signal of signals) {
    child.kill(signal);
    await pause(100);
  }
  const { code } = await child.status;
  const seconds = (performance.now() - sent) / 1000;
  await reading;
  return { code, seconds, stdout, stderr: await stderr };
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const script = "tests/cli/stopped.ts";

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `${signal}: the command ends in order and says what is kept`,
    ignore: windows,
    async fn() {
      const { code, stdout, stderr } = await stopped([script, "ends"], { after: 60_000, signals: [signal] });
      equal([code, stdout, stderr], [1, "begins\n", "Stopped. All is well.\n"]);
    },
  });
}

Deno.test({
  name: "a second Ctrl-C ends the process at once, though JavaScript waits for 20 s",
  ignore: windows,
  async fn() {
    const { code, seconds, stderr } = await stopped([script, "blocks"], {
      after: 60_000,
      signals: ["SIGINT", "SIGINT"],
    });
    equal([code, stderr], [130, ""]);
    ok(seconds < 5, `${seconds} s`);
  },
});

Deno.test({
  name: "a second Ctrl-C ends the process at once in the midst of a network's run, and in silence",
  ignore: windows,
  async fn() {
    const { code, seconds, stderr } = await stopped([script, "runs"], { after: 60_000, signals: ["SIGINT", "SIGINT"] });
    equal([code, stderr], [130, ""]);
    ok(seconds < 5, `${seconds} s`);
  },
});

Deno.test({
  name: "generate: Ctrl-C in the midst of 1,000 steps ends within a step, and writes nothing",
  ignore: windows,
  fn: () =>
    inFolder(async (folder) => {
      const args = ["lib/cli/generate.ts", "--model", "models/pocket/base", "--steps", "1000", "--unguarded"];
      const out = ["--prompt", "a", "--out", `${folder}/a.png`, "--record", `${folder}/a.safetensors`];
      const { code, seconds, stderr } = await stopped([...args, ...out], { after: 6000, signals: ["SIGINT"] });
      equal([code, stderr], [1, "Stopped. Nothing was written.\n"]);
      equal([...Deno.readDirSync(folder)], []);
      ok(seconds < 10, `${seconds} s, of a step that takes a fraction of one and a machine that may be busy`);
    }),
});
