/** Stop: at once, whatever is under way, and nothing that was finished is lost. */

import { equal, match, ok, rejects, throws } from "node:assert/strict";
import { open } from "../../lib/model/open.ts";
import { atWork, reasonToStop, stop, stopSignal } from "../../lib/model/stop.ts";

Deno.test("a stop ends the run under way once, whatever the run holds on to, and not the next", async () => {
  equal(await reasonToStop(), undefined);
  await atWork(() => Promise.resolve());
  ok(stop(), "a run is under way just after its network's work");
  match(String(await reasonToStop()), /AbortError: Stopped between two steps/);
  equal(await reasonToStop(), undefined);

  const work = atWork((signal) =>
    new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)))
  );
  ok(stop(), "a network is at work");
  await rejects(work, { name: "AbortError", message: /^Stopped\. What was under way was not finished/ });
  equal(await reasonToStop(), undefined, "the work has met it");

  const signal = stopSignal();
  ok(stop());
  equal(await reasonToStop(signal), signal.reason);
  equal(await reasonToStop(), undefined, "the stop was met already");
  ok(!stopSignal().aborted, "a new one for what comes next");
});

Deno.test("a run that is stopped keeps its step; the run goes on from it to the same bits", async () => {
  await using model = await open("models/pocket/base", { unet: "models/pocket/lightning_4step_unet.safetensors" });
  throws(() => model.stopped, /Cannot go on: no run of this model was stopped/);
  const request = { prompt: "owl", seed: 2, recipe: "lightning-4step" };
  const whole = await model.generate(request);
  const seen: number[] = [];
  await rejects(async () => {
    for await (const { index } of model.steps(request)) {
      seen.push(index);
      if (index === 2) stop();
    }
  }, /Stopped between two steps/);
  equal(seen.join(), "1,2");
  equal(model.stopped.index, 2);
  let last = model.stopped;
  for await (const step of model.steps(model.stopped)) last = step;
  equal(last.index, 4);
  equal(last.latent.data.join(), whole.step.latent.data.join());
});

Deno.test("Stop within a step, and while text is encoded or a picture decoded: at once; the step before is kept", async () => {
  await using model = await open("models/pocket/base");
  const request = { prompt: "owl", seed: 2, steps: 4, guidance: 4, size: { width: 256, height: 256 } };
  const start = await model.begin(request);
  await model.next(start); // which loads the U-Net, too, and would take longer than a step does
  const whole = performance.now();
  const wanted = await model.next(start);
  const took = performance.now() - whole;

  let stopped = 0;
  const stopIn = (milliseconds: number) =>
    setTimeout(() => {
      stopped = performance.now();
      ok(stop());
    }, milliseconds);
  stopIn(took / 10);
  await rejects(() => model.next(start), /Stopped between two steps/);
  const late = performance.now() - stopped;
  ok(late < 0.75 * took, `${late} ms after Stop, a step takes ${took}`);
  equal(model.stopped, start);
  equal((await model.next(model.stopped)).latent.data.join(), wanted.latent.data.join());

  const began = model.begin({ ...request, prompt: "another owl" });
  stopIn(0); // a prompt is encoded in a few milliseconds
  await rejects(began, /^AbortError: Stopped\. What was under way was not finished/);
  equal((await model.begin({ ...request, prompt: "another owl" })).index, 0);

  const signal = new AbortController();
  const decoding = model.decode(wanted, { signal: signal.signal });
  setTimeout(() => signal.abort(new Error("No picture is wanted.")), 1);
  await rejects(decoding, /No picture is wanted/);
  equal((await model.decode(wanted)).shape.join(), "1,3,256,256");
});
