/** Runs on one thread beside JavaScript's, as CUDA's are made: tried on the processor, which any machine has. */

import { OrtSession } from "fewstep/model/sessions/onnxruntime_session.ts";
import { Tensor } from "fewstep/tensor/tensor.ts";
import { equal, ok, throwsSentence } from "../../assert.ts";
import { inFolder } from "../../files.ts";
import { chain, endedInItsMidst } from "./chain.ts";

const zeros = (rows: number, side: number) => ({ x: Tensor.zeros([rows, side]) });

async function load(folder: string, side: number, layers: number, oneThread: boolean): Promise<OrtSession> {
  const network = await chain(folder, side, layers);
  const config = { "session.model_external_initializers_file_folder_path": network.root };
  return await OrtSession.load(network, { threads: 1, config, oneThread });
}

Deno.test("on one thread: the same bits, with timers ticking, and an error in the library's words", () =>
  inFolder(async (folder) => {
    const side = 256;
    const x = new Tensor(Float32Array.from({ length: side * side }, (_, i) => Math.sin(i)), [side, side]);
    const [any, one] = [await load(folder, side, 100, false), await load(folder, side, 100, true)];
    const wanted = (await any.run({ x })).get("y");
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const outputs = await Promise.all([one.run({ x }), one.run({ x }), one.run({ x })]);
    clearInterval(timer);
    for (const output of outputs) equal(output.get("y"), wanted);
    ok(ticks >= 3, `${ticks} ticks in three runs`);
    await throwsSentence(() => one.run(zeros(1, side + 1)), /^Cannot run the chain: .*x.*\.$/);
    equal((await one.run({ x })).get("y"), wanted);
    await Promise.all([any.release(), one.release()]);
  }));

Deno.test("on one thread: an aborted signal ends a run before its next operator", () =>
  inFolder(async (folder) => {
    const [side, rows] = [512, 512];
    const session = await load(folder, side, 200, true);
    await endedInItsMidst((options) => session.run(zeros(rows, side), options));
    await session.release();
  }));

Deno.test("the thread does not keep a process whose work is done, and runs with the permissions that the tasks give", () =>
  inFolder(async (folder) => {
    const network = await chain(folder, 8, 2);
    const script = `${folder}/script.ts`;
    const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    await Deno.writeTextFile(
      script,
      `import { OrtSession } from ${at("../../../lib/model/sessions/onnxruntime_session.ts")};
       const bytes = await Deno.readFile(${JSON.stringify(`${folder}/network.onnx`)});
       const config = { "session.model_external_initializers_file_folder_path": ${JSON.stringify(network.root)} };
       const model = { name: "chain", bytes, outputs: [{ name: "y" }] };
       const session = await OrtSession.load(model, { config, oneThread: true });
       const { shape } = (await session.run({ x: { data: new Float32Array(8), shape: [1, 8] } })).get("y");
       console.log(JSON.stringify(shape));`,
    );
    await Deno.writeFile(`${folder}/network.onnx`, Uint8Array.from(network.bytes));
    const permissions = ["--allow-read", "--allow-env", "--allow-ffi", "--no-prompt"];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--config", new URL("../../../deno.json", import.meta.url).pathname]
        .concat(permissions, script),
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const { code, signal, stdout, stderr } = await child.output();
    clearTimeout(late);
    const text = new TextDecoder();
    equal([code, signal, text.decode(stdout).trim()], [0, null, "[1,8]"], text.decode(stderr));
  }));
