/**
 * What a denoising step costs beside the network: `model.next` against the bare session on the same inputs, in turn.
 * Goal: ≤ 0.3 ms, and ≤ 1 % of a step of 0.1 s.
 *
 * Command: deno run -A bench/step_overhead.ts
 */

import { open } from "../lib/mod.ts";
import { samplers } from "../lib/diffusion/mod.ts";
import { buildUnet } from "../lib/graph/unet.ts";
import { onnxRuntimeCpu } from "../lib/model/sessions/onnxruntime.ts";
import { Tensor } from "../lib/tensor/tensor.ts";
import { openCheckpoint } from "../lib/weights/open.ts";
import { paired, report, spread, time } from "./harness.ts";

const MODEL = "models/pocket/base";
const ROUNDS = 200;

const results: Record<string, unknown> = {};
for (const guidance of [0, 5]) {
  await using model = await open(MODEL);
  const runtime = onnxRuntimeCpu();
  const { unet } = await openCheckpoint(MODEL);
  const session = await runtime.load(buildUnet(unet.architecture, unet.weights, { lowering: runtime.lowering }));
  const start = await model.begin({ prompt: "sunflower, meadow", seed: 1, steps: 4, guidance });
  const { trajectory, conditioning } = start;
  const input = samplers[trajectory.sampler].scaleInput(start.latent, trajectory.schedule.sigmas[0]);
  const sample = conditioning.guided ? Tensor.concat([input, input]) : input;
  const feeds = {
    sample,
    timestep: Tensor.of(Array<number>(sample.shape[0]).fill(trajectory.schedule.timesteps[0])),
    encoder_hidden_states: conditioning.context,
    text_embeds: conditioning.pooled,
    time_ids: conditioning.timeIds,
  };
  for (let i = 0; i < 20; i++) await model.next(start);
  for (let i = 0; i < 20; i++) await session.run(feeds);
  const inside: number[] = [];
  const whole = await paired(
    ROUNDS,
    () =>
      time(async () => {
        const { timing } = await model.next(start);
        inside.push(timing.step - timing.unet);
      }),
    () => time(() => session.run(feeds)),
  );
  await session.release();
  results[guidance === 0 ? "without guidance" : "with guidance"] = {
    nextMilliseconds: whole.ours,
    bareMilliseconds: whole.theirs,
    ratio: whole.ratio,
    besideNetworkMilliseconds: spread(inside),
  };
}
await report("step_overhead", "deno run -A bench/step_overhead.ts", results);
