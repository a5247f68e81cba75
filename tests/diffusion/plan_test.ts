import { plan, recipes } from "../../lib/diffusion/mod.ts";
import { SDXL_SCHEDULER } from "../../lib/diffusion/scheduler_config.ts";
import { equal, throwsSentence } from "../assert.ts";

Deno.test("the base recipe takes the model's own scheduler file", () => {
  const trajectory = plan({ steps: 3 }, { ...SDXL_SCHEDULER, spacing: "trailing", prediction: "v" });
  equal(trajectory.schedule.timesteps, [999, 666, 332]);
  equal([trajectory.sampler, trajectory.prediction, trajectory.guidance], ["euler", "v", 5]);
});

Deno.test("Lightning runs from pure noise without guidance, whatever the base's file says", () => {
  const { schedule, guidance, prediction } = plan({ recipe: "lightning-4step" });
  equal(schedule.timesteps, [999, 749, 499, 249]);
  equal([guidance, prediction, schedule.initNoiseSigma], [0, "epsilon", schedule.sigmas[0]]);
});

Deno.test("Lightning's one step predicts the picture itself", () => {
  const { schedule, prediction } = plan({ recipe: "lightning-1step" });
  equal([schedule.timesteps, prediction], [[999], "sample"]);
});

Deno.test("a recipe refuses what its weights were not made for, and says what would work", async () => {
  const refused = (options: Parameters<typeof plan>[0], sentence: string | RegExp) =>
    throwsSentence(() => plan(options), sentence);
  await refused(
    { recipe: "lightning-4step", steps: 6 },
    "Cannot run lightning-4step for 6 steps: it was distilled for 4. Allowed: 4 (or pass unguarded to try anyway).",
  );
  await refused({ recipe: "lightning-4step", guidance: 5 }, /with guidance 5: .* Allowed: 0 to 1 \(or pass unguarded/);
  await refused({ recipe: "lightning-4step", spacing: "leading" }, /on leading spacing: .* Allowed: trailing \(or/);
  await refused({ recipe: "lightning-1step", prediction: "epsilon" }, /predict x0: read as epsilon.* Allowed: sample/);
  await refused({ recipe: "lightening" }, /recipe "lightening": there is none of that name\. Known: base, lightning-1/);
  await refused({ recipe: "toString" }, /there is none of that name/);
  await refused({ recipe: "lcm", steps: 20 }, /for 20 steps: it was distilled for 1 to 8\. Allowed: 1 to 8 \(or/);
  await refused({ recipe: "hyper-8step-cfg", guidance: 1 }, /Allowed: 5 to 8 \(or/);
  await refused(
    { recipe: "pcm-smallcfg", sampler: "lcm" },
    /with sampler lcm: .* not LCM.* Allowed: ddim or euler \(or/,
  );
  await refused({ recipe: "lightning-4step", timesteps: [999, 500] }, /for 2 steps: it was distilled for 4/);
  await refused({ guidance: NaN }, /Cannot guide by NaN/);
});

Deno.test("the published timesteps of distilled models", () => {
  const timesteps = (recipe: string, steps?: number) => plan({ recipe, steps }).schedule.timesteps;
  equal(timesteps("turbo", 4), [999, 749, 499, 249]);
  equal(timesteps("comfy-turbo", 4), [999, 899, 799, 699]);
  equal(timesteps("lcm"), [999, 759, 499, 259]);
  equal(timesteps("dmd2-4step"), [999, 749, 499, 249]);
  equal(timesteps("dmd2-1step"), [399]);
  equal(timesteps("hyper-1step"), [800]);
  equal(timesteps("hyper-2step"), [999, 499]);
  equal(timesteps("comfy-lightning-4step"), [999, 749, 500, 250]);
});

Deno.test("a recipe with timesteps of its own gives way to a spacing, where unguarded", async () => {
  await throwsSentence(() => plan({ recipe: "hyper-1step", spacing: "trailing" }), /Allowed: its own timesteps \(or/);
  equal(plan({ recipe: "hyper-1step", spacing: "trailing", unguarded: true }).schedule.timesteps, [999]);
});

Deno.test("unguarded runs it anyway, but no number of steps that is none", async () => {
  equal(plan({ recipe: "lightning-4step", steps: 6, guidance: 3, unguarded: true }).schedule.timesteps.length, 6);
  await throwsSentence(() => plan({ recipe: "lightning-4step", steps: 0, unguarded: true }), /of 0 steps/);
});

Deno.test("every recipe's own choices pass its own guard", () => {
  for (const [recipe, { steps, guidance, spacing, prediction }] of Object.entries(recipes)) {
    equal(plan({ recipe, steps, guidance, spacing, prediction }).recipe, recipe);
  }
});

Deno.test("what makes no sense together is refused, with what would", async () => {
  const refused = (options: Parameters<typeof plan>[0], sentence: RegExp) =>
    throwsSentence(() => plan(options), sentence);
  await refused({ timesteps: [999], sigmas: [14, 0] }, /each stands for the other\. Give one of them\./);
  await refused({ timesteps: [999, 500], steps: 4 }, /Cannot take 4 steps over 2 listed levels/);
  await refused({ sigmas: [14, 2, 0], spacing: "trailing" }, /Cannot run listed levels on trailing spacing/);
  await refused({ sampler: "euler", eta: 0.5 }, /Cannot run euler with eta.* Allowed for: ddim and tcd\./);
  await refused({ sampler: "ddim", ramp: "karras" }, /ddim on leading spacing by karras\. It works with euler, /);
  await refused({ spacing: "sgm-uniform", ramp: "karras" }, /euler on sgm-uniform spacing by karras/);
  await refused({ sampler: "lcm", ramp: "beta" }, /lcm on lcm spacing by beta/);
  await refused({ timesteps: [999], ramp: "beta" }, /given timesteps by beta/);
});

Deno.test("a model's own ramp does not get in the way of what cannot follow it", () => {
  const karras = { ...SDXL_SCHEDULER, ramp: "karras" } as const;
  equal(plan({ sampler: "ddim", steps: 4 }, karras), plan({ sampler: "ddim", steps: 4 }));
  equal(plan({ sampler: "lcm", steps: 4 }, karras), plan({ sampler: "lcm", steps: 4 }));
  equal(plan({ steps: 4 }, karras).schedule.sigmas[0], plan({ steps: 4 }).schedule.sigmas[0]);
});

Deno.test("a recipe's spacing is not laid out anew, neither by the model's file nor on request", async () => {
  const karras = { ...SDXL_SCHEDULER, ramp: "karras" } as const;
  equal(plan({ recipe: "lightning-4step" }, karras), plan({ recipe: "lightning-4step" }));
  await throwsSentence(
    () => plan({ recipe: "lightning-4step", ramp: "karras" }),
    /Cannot run lightning-4step with karras sigmas: .* Allowed: trailing, as it is \(or pass unguarded/,
  );
  const anyway = plan({ recipe: "lightning-4step", ramp: "karras", unguarded: true }).schedule;
  equal(anyway.sigmas[1] === plan({ recipe: "lightning-4step" }).schedule.sigmas[1], false);
});

Deno.test("levels that were listed end in 0, whatever the model's file says", () => {
  const sigmaMin = { ...SDXL_SCHEDULER, finalSigma: "sigma-min" } as const;
  equal(plan({ sigmas: [14, 2, 0] }, sigmaMin).schedule.sigmas, [14, 2, 0]);
  equal(plan({ spacing: "simple", steps: 4 }, sigmaMin).schedule.sigmas[4], 0);
});

Deno.test("another sampler takes over a recipe's schedule without its eta", () => {
  equal(plan({ recipe: "tcd", sampler: "euler" }).eta, undefined);
  equal(plan({ recipe: "tcd" }).eta, 0.3);
});
