/** Pocket and tiny models on OpenVINO's CPU against ONNX Runtime's. Where its library is missing these tests skip. */

import { open, type Request } from "fewstep";
import { runtimeOn } from "fewstep/model/sessions/devices.ts";
import { LIBRARY_VARIABLE, openVinoLibrary } from "fewstep/model/sessions/openvino_library.ts";
import { close, equal, ok, relativeL2, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { goldenPath } from "../goldens/read.ts";

const REQUEST: Request = { prompt: "gold", seed: 3, steps: 2, guidance: 3, size: { width: 64, height: 96 } };

function missing(): string | undefined {
  try {
    openVinoLibrary();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const reason = missing();
if (reason !== undefined) console.log(`openvino: skipped. ${reason}`);
const test = (name: string, fn: (t: Deno.TestContext) => Promise<void>) =>
  Deno.test({ name, fn, ignore: reason !== undefined });

test("openvino: what ONNX Runtime gives, for any size; timers tick meanwhile; Stop is immediate", async (t) => {
  await using wanted = await open(goldenPath("tiny-deep"));
  await using model = await open(goldenPath("tiny-deep"), { device: "openvino" });

  await t.step("text, latents and pictures", async () => {
    ok(/^OpenVINO \d+\.\d+\.\d+, CPU$/.test(model.runtime.name), model.runtime.name);
    for (const request of [REQUEST, { ...REQUEST, seed: [1, 2], guidance: 0, size: { width: 48, height: 64 } }]) {
      const [ours, theirs] = [await model.generate(request), await wanted.generate(request)];
      close(ours.step.conditioning.context.data, theirs.step.conditioning.context.data, 1e-5, "text");
      close(ours.step.conditioning.pooled.data, theirs.step.conditioning.pooled.data, 1e-5, "pooled text");
      close(ours.step.latent.data, theirs.step.latent.data, 1e-4, "latent");
      close(ours.image.data, theirs.image.data, 1e-4, "image");
      equal(ours.image.shape, theirs.image.shape);
    }
  });

  await t.step("JavaScript's thread is free, and a run is stopped in its middle", async () => {
    const step = await model.begin({ ...REQUEST, size: { width: 512, height: 512 } });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const whole = await model.next(step);
    clearInterval(timer);
    ok(ticks >= 3, `${ticks} ticks in ${whole.timing.unet} ms`);

    const stop = new AbortController();
    const started = performance.now();
    setTimeout(() => stop.abort(new Error("Stopped by the test.")), 2);
    await throwsSentence(() => model.next(step, { signal: stop.signal }), "Stopped by the test.");
    const took = performance.now() - started;
    ok(took < whole.timing.unet, `stopping took ${took} ms, a whole run ${whole.timing.unet}`);
    equal((await model.next(step)).latent.data, whole.latent.data);
  });
});

test("openvino: a precision of the machine is near float32, one that it lacks is refused with the reason", async () => {
  for (const precision of ["bf16", "fp16"] as const) {
    const { refused } = await runtimeOn("openvino");
    if (refused[precision] !== undefined) {
      await throwsSentence(
        () => open(goldenPath("tiny-deep"), { device: "openvino", precision }),
        new RegExp(`^Cannot compute in ${precision} with OpenVINO .*this CPU has no ${precision.toUpperCase()}`),
      );
      console.log(`openvino ${precision}: not run, ${refused[precision]}`);
      continue;
    }
    await using exact = await open(goldenPath("tiny-deep"));
    await using model = await open(goldenPath("tiny-deep"), { device: "openvino", precision });
    // Guidance would multiply the difference of two predictions that, by random weights, hardly differ.
    const request = { ...REQUEST, guidance: 0 };
    const [{ step: wanted }, { step }] = [await exact.generate(request), await model.generate(request)];
    const off = relativeL2(step.prediction.data, wanted.prediction.data);
    ok(off > 1e-5 && off < 0.1, `${precision} is ${off} off`);
  }
});

test("openvino: a device that is not there is refused with those that are", async () => {
  await throwsSentence(
    () => open(goldenPath("tiny-deep"), { device: "openvino:NPU" }),
    /^Cannot compute on openvino:NPU: OpenVINO sees no such device here\. It sees .*CPU.*\.$/,
  );
});

Deno.test("openvino: where the variable names nothing, that is said", () =>
  inFolder(async (folder) => {
    const code = `import { open } from "fewstep"; await open(${JSON.stringify(goldenPath("tiny-deep"))}, ` +
      `{ device: "openvino" }).catch((error) => console.log(error.message));`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", code],
      env: { [LIBRARY_VARIABLE]: folder },
    }).output();
    const message = new TextDecoder().decode(stdout).trim();
    ok(message.startsWith(`Cannot compute on openvino: its C library is missing, ${LIBRARY_VARIABLE} says`), message);
  }));
