/**
 * Every combination of sampler, spacing, ramp, prediction, steps and recipe either plans a run that can be taken, or is
 * refused in one sentence whose promise holds: what it says would work is tried.
 */

import {
  plan,
  type PlanOptions,
  PREDICTIONS,
  RAMPS,
  recipes,
  SAMPLER_NAMES,
  SPACINGS,
  type Trajectory,
} from "../../lib/diffusion/mod.ts";
import { equal, ok } from "../assert.ts";

/** The plan, or why not. Anything but a RangeError of one sentence is a bug. */
function tried(options: PlanOptions): Trajectory | string {
  try {
    return plan(options);
  } catch (error) {
    ok(error instanceof RangeError, `${JSON.stringify(options)}: ${error}`);
    const { message } = error as RangeError;
    ok(/^Cannot [^\n]+[.)]$/.test(message), message);
    return message;
  }
}

function wantWhole({ schedule }: Trajectory, what: string): void {
  const { timesteps, sigmas, initNoiseSigma, landings = [] } = schedule;
  ok(timesteps.length >= 1 && sigmas.length === timesteps.length + 1, `${what}: ${timesteps.length} steps`);
  ok([...timesteps, ...sigmas, ...landings, initNoiseSigma].every(Number.isFinite), `${what}: not a number`);
  ok(sigmas.every((sigma, i) => i === 0 || sigma <= sigmas[i - 1]), `${what}: sigmas rise`);
}

Deno.test("without a recipe: sampler × spacing × ramp × prediction × steps", () => {
  const refused = new Map<string, number>();
  let planned = 0;
  for (const sampler of SAMPLER_NAMES) {
    for (const spacing of SPACINGS) {
      for (const ramp of [undefined, ...RAMPS]) {
        for (const prediction of PREDICTIONS) {
          for (const steps of [1, 4, 11, 51, 1001]) {
            const options = { recipe: "none", sampler, spacing, ramp, prediction, steps } as const;
            const result = tried(options);
            if (typeof result !== "string") {
              wantWhole(result, JSON.stringify(options));
              planned++;
              continue;
            }
            const kind = [
              "It works with euler",
              "Allowed: 1 to ",
              "wanted is a whole number from 1 to 1000",
              "it has 10",
            ]
              .find((promise) => result.includes(promise));
            ok(kind !== undefined, `${JSON.stringify(options)} names nothing that would work: ${result}`);
            refused.set(`${kind}`, (refused.get(`${kind}`) ?? 0) + 1);
          }
        }
      }
    }
  }
  ok(planned > 1000, `${planned} combinations can be run`);
  equal(refused.size, 4, `${[...refused.keys()]}`);
});

Deno.test("a ramp's sentence holds: each sampler and spacing that it names takes each ramp", () => {
  const sentence = tried({ recipe: "none", sampler: "lcm", ramp: "karras", steps: 4 });
  const named = typeof sentence === "string" ? sentence.slice(sentence.indexOf("It works with")) : "";
  const [samplers, spacings] = named.split(" on ");
  const [can, on] = [
    SAMPLER_NAMES.filter((name) => new RegExp(`\\b${name}\\b(?!-)`).test(samplers)),
    SPACINGS.filter((name) => new RegExp(`\\b${name}\\b`).test(spacings)),
  ];
  equal([can.length, on], [5, ["leading", "trailing", "linspace"]]);
  for (const sampler of can) {
    for (const spacing of on) {
      for (const ramp of RAMPS) {
        ok(typeof tried({ recipe: "none", sampler, spacing, ramp, steps: 4 }) !== "string", ramp);
      }
    }
  }
});

/** What a request may say against a recipe, one thing at a time. */
const CHANGES: readonly PlanOptions[] = [
  ...SAMPLER_NAMES.map((sampler) => ({ sampler })),
  ...SPACINGS.map((spacing) => ({ spacing })),
  ...RAMPS.map((ramp) => ({ ramp })),
  ...PREDICTIONS.map((prediction) => ({ prediction })),
  ...[1, 2, 3, 4, 8, 11, 16, 50].map((steps) => ({ steps })),
  ...[0, 1, 1.5, 3, 7, 20].map((guidance) => ({ guidance })),
];

/** The ways out that a guard's sentence names: "2, 4 or 8", "1 to 8", "trailing". */
function ways(sentence: string): readonly string[] {
  const allowed = /Allowed: (.*) \(or pass unguarded to try anyway\)\.$/.exec(sentence)?.[1];
  ok(allowed !== undefined && allowed !== "", `names nothing that would work: ${sentence}`);
  return (allowed ?? "").split(/, | or | to /);
}

for (const recipe of Object.keys(recipes)) {
  Deno.test(`${recipe}: what its guard refuses names what works, and can be had unguarded`, () => {
    for (const change of CHANGES) {
      const options = { recipe, ...change };
      const what = JSON.stringify(options);
      const result = tried(options);
      if (typeof result !== "string") {
        wantWhole(result, what);
        continue;
      }
      const anyway = tried({ ...options, unguarded: true });
      if (typeof anyway === "string") {
        // Not for want of training: no schedule has it.
        ok(/It works with|wanted is|it has 10|Allowed: 1 to|Allowed for/.test(anyway), `${what}: ${anyway}`);
        continue;
      }
      wantWhole(anyway, what);
      for (const way of ways(result)) {
        const [key] = Object.keys(change);
        const own = way === "its own timesteps" || way === "as it is" || key === "ramp";
        const value = key === "steps" || key === "guidance" ? Number(way) : way;
        const instead = tried({ recipe, ...(own ? {} : { [key]: value }) });
        ok(typeof instead !== "string", `${what}: "${way}" was promised, but ${instead}`);
      }
    }
  });
}
