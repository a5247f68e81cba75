/** ONNX Runtime by its C library: the npm binding's bits, with JavaScript's thread free, and memory that comes back. */

import * as binding from "onnxruntime-node";
import manifest from "onnxruntime-node/package.json" with { type: "json" };
import { cpu } from "fewstep/graph/lowering.ts";
import { buildUnet } from "fewstep/graph/unet.ts";
import { onnxRuntimeCpu } from "fewstep/model/sessions/onnxruntime.ts";
import { LIBRARY_VARIABLE, onnxRuntimeLibrary } from "fewstep/model/sessions/onnxruntime_library.ts";
import { Tensor } from "fewstep/tensor/tensor.ts";
import { openCheckpoint } from "fewstep/weights/open.ts";
import { inputsOf } from "../../../bench/unet_inputs.ts";
import { equal, ok, throwsSentence } from "../../assert.ts";
import { inFolder } from "../../files.ts";
import { goldenPath } from "../../goldens/read.ts";
import { chain, endedInItsMidst } from "./chain.ts";
import type { Task } from "./onnxruntime_worker.ts";

const runtime = onnxRuntimeCpu({ threads: 1 }); // beside other work, threads wait for each other

async function tinyUnet() {
  const { unet: { architecture, weights } } = await openCheckpoint(goldenPath("tiny-sdxl"));
  return {
    network: buildUnet(architecture, weights, { lowering: cpu }),
    feeds: inputsOf(architecture, { batch: 2, side: 8 }),
  };
}

const zeros = (rows: number, side: number) => ({ x: Tensor.zeros([rows, side]) });

Deno.test("the C library gives the npm binding's bits, and its version is the package's", async () => {
  equal(onnxRuntimeLibrary().version, manifest.version);
  const { network, feeds } = await tinyUnet();
  const theirs = await binding.InferenceSession.create(network.bytes, {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    extra: { session: { model_external_initializers_file_folder_path: network.root } },
  });
  const given = Object.entries(feeds).map(([name, { data, shape }]) =>
    [name, new binding.Tensor("float32", Float32Array.from(data), shape)] as const
  );
  const { out_sample: wanted } = await theirs.run(Object.fromEntries(given));
  await theirs.release();
  const ours = await runtime.load(network);
  const output = (await ours.run(feeds)).get("out_sample");
  await ours.release();
  equal(output?.shape, wanted.dims);
  equal(output?.data, wanted.data);
});

Deno.test("another build of the library is taken from the folder that the variable names, or the sentence says what is wrong", () =>
  inFolder(async (folder) => {
    const told = async (place: string) => {
      const library = new URL("../../../lib/model/sessions/onnxruntime_library.ts", import.meta.url).href;
      const code = `import { onnxRuntimeLibrary } from ${JSON.stringify(library)};
        try { const { folder, version } = onnxRuntimeLibrary(); console.log(folder, version); }
        catch (error) { console.log(error.message); }`;
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["eval", "--quiet", code],
        env: { [LIBRARY_VARIABLE]: place },
      }).output();
      return new TextDecoder().decode(stdout).trim();
    };
    const { folder: own, version } = onnxRuntimeLibrary();
    const [name] = [...Deno.readDirSync(own)].map(({ name }) => name).filter((name) =>
      /^(lib)?onnxruntime\./.test(name)
    );
    // As pip's package calls it on Linux, with all of its version.
    const called = Deno.build.os === "linux" ? `libonnxruntime.so.${version}` : name;
    await Deno.copyFile(`${own}/${name}`, `${folder}/${called}`);
    equal(await told(folder), `${folder} ${version}`);
    if (Deno.build.os === "linux") { // as an archive calls it, with none
      await Deno.rename(`${folder}/${called}`, `${folder}/libonnxruntime.so`);
      equal(await told(folder), `${folder} ${version}`);
      await Deno.rename(`${folder}/libonnxruntime.so`, `${folder}/${called}`);
    }
    equal(
      await told(`${folder}/none`),
      `Cannot compute: ${LIBRARY_VARIABLE} says ${folder}/none, and ONNX Runtime's library is not there. Wanted is the ` +
        `folder of libonnxruntime: in pip's onnxruntime-gpu it is onnxruntime/capi.`,
    );
    await Deno.writeTextFile(`${folder}/${called}`, "no library");
    ok(
      /^Cannot compute: ONNX Runtime's library .* cannot be loaded \(.+\)\.$/s.test(await told(folder)),
      await told(folder),
    );
  }));

Deno.test("timers tick while a network runs; small inputs are safe from the collector; a second run waits for its turn", async () => {
  const { network, feeds } = await tinyUnet();
  const session = await runtime.load(network);
  const wanted = (await session.run(feeds)).get("out_sample");
  // What is thrown away moves small arrays of V8's heap: `timestep` has two numbers.
  let [ticks, garbage]: [number, unknown[]] = [0, []];
  const timer = setInterval(() => {
    ticks++;
    garbage = Array.from({ length: 20_000 }, (_, i) => new Float32Array([i, i]));
  }, 1);
  const runs = Array.from(
    { length: 8 },
    () => session.run({ ...feeds, timestep: Tensor.of([...feeds.timestep.data]) }),
  );
  const outputs = await Promise.all(runs);
  clearInterval(timer);
  ok(ticks >= 8 && garbage.length > 0, `${ticks} ticks in 8 runs`);
  for (const output of outputs) equal(output.get("out_sample")?.data, wanted?.data);
  await session.release();
});

Deno.test("an aborted signal ends a run before its next operator and a load in its middle; the session goes on", () =>
  inFolder(async (folder) => {
    const [side, rows] = [512, 512];
    const session = await runtime.load(await chain(folder, side, 200));
    const signal = await endedInItsMidst((options) => session.run(zeros(rows, side), options));
    await throwsSentence(() => session.run(zeros(rows, side), { signal }), "Stopped by the test.");
    equal((await session.run(zeros(1, side))).get("y")?.shape, [1, side]);
    await session.release();
    await throwsSentence(() => session.run(zeros(1, side)), "Cannot run the chain: its session was released.");
    await session.release();

    const loading = new AbortController();
    const load = runtime.load(await chain(folder, 6000, 1), { signal: loading.signal });
    setTimeout(() => loading.abort(new Error("Not wanted any more.")), 1);
    await throwsSentence(() => load, "Not wanted any more.");
  }));

Deno.test("what cannot be loaded or run is told in the library's words, with the layer", async () => {
  const { network, feeds } = await tinyUnet();
  await throwsSentence(
    () => runtime.load({ ...network, bytes: new Uint8Array([1, 2, 3]) }),
    /^Cannot load the unet: .+\.$/,
  );
  const session = await runtime.load(network);
  await throwsSentence(
    () => session.run({ ...feeds, encoder_hidden_states: Tensor.zeros([2, 77, 3]) }),
    /^Cannot run the unet: .*encoder_hidden_states.*\.$/,
  );
  const odd = Tensor.zeros([3, 77, feeds.encoder_hidden_states.shape[2]]);
  await throwsSentence(
    () => session.run({ ...feeds, encoder_hidden_states: odd }),
    /^Cannot run the unet: .*attn2.*\.$/,
  );
  ok((await session.run(feeds)).has("out_sample"), "an error spoilt the session");
  await session.release();
});

Deno.test({
  name: "lean takes no copy of the weights; after release the memory is the system's again",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      const [side, megabyte] = [8192, 2 ** 20]; // 256 MiB
      const own = () => memoryOf("RssAnon");
      const network = await chain(folder, side, 1);
      const before = { own: own(), file: memoryOf("RssFile"), all: memoryOf("VmRSS") };
      for (const [memory, most] of [["lean", 64], ["fast", 600]] as const) {
        const session = await onnxRuntimeCpu({ memory, threads: 1 }).load(network);
        await session.run(zeros(2, side));
        const taken = (own() - before.own) / megabyte;
        const mapped = (memoryOf("RssFile") - before.file) / megabyte;
        await session.release();
        const left = (memoryOf("VmRSS") - before.all) / megabyte;
        ok(taken < most, `${memory}: ${taken} MB beside the file`);
        if (memory === "lean") ok(mapped < 32, `${mapped} MB of the file are still resident`);
        ok(left < 64, `${memory}: ${left} MB are left`);
      }
    }),
});

function memoryOf(field: string): number {
  const line = Deno.readTextFileSync("/proc/self/status").match(new RegExp(`^${field}:\\s*(\\d+) kB`, "m"));
  return Number(line?.[1]) * 1024;
}

Deno.test("threads of their own, each with its sessions, run at once; one that is ended in a run harms no other", () =>
  inFolder(async (folder) => {
    const url = new URL("./onnxruntime_worker.ts", import.meta.url);
    const [side, layers] = [512, 200];
    const workers = [1, 2].map(() => new Worker(url, { type: "module" }));
    const answers = workers.map((worker, i) =>
      new Promise<Float32Array>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
        const own = `${folder}/${i}`;
        Deno.mkdirSync(own);
        worker.postMessage({ folder: own, side, layers } satisfies Task);
      })
    );
    const outputs = await Promise.all(answers);
    // Each is in its second run by now, which reads its input once more at its end, long after its thread is gone.
    workers.forEach((worker) => worker.terminate());
    const session = await runtime.load(await chain(folder, side, 3 * layers));
    const x = new Tensor(new Float32Array(side * side).fill(3), [side, side]);
    const wanted = (await session.run({ x })).get("y")?.data;
    await session.release();
    for (const output of outputs) equal(output, wanted);
  }));
