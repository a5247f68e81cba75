import { equal, match, ok, rejects, throws } from "node:assert/strict";
import { open } from "../../lib/model/open.ts";
import { atWork, reasonToStop, stop, stopSignal } from "../../lib/model/stop.ts";

Deno.test("a stop ends the run under way once, whatever the run holds on to, and not the next", async () => {
  equal(await reasonToStop(), undefined);
  await atWork(() => Promise.resolve());
  ok(stop(), "a run is under way just after its network's work");
  match(String(await reasonToStop()), /AbortError: Stopped between two steps/);
  equal(await reasonToStop(), undefined);

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
