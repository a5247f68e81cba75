import { equal, match, ok, throws } from "node:assert/strict";
import { readTrace } from "../../lib/measure/profile.ts";
import { Profile } from "../../lib/model/profile.ts";
import { beside } from "../../lib/view/beside.ts";
import { histogram, latentStatistics, spectra } from "../../lib/view/latent_plots.ts";
import { profileFigure } from "../../lib/view/profile_figure.ts";
import { strip } from "../../lib/view/strip.ts";
import { trajectory, trajectoryOf } from "../../lib/view/trajectory.ts";
import { disc, sampleRun, sampleSteps } from "./samples.ts";
import { matchSnapshot } from "./snapshot.ts";

Deno.test("the way of runs: distance to the end, norm and turns, a line a run", async () => {
  const figure = trajectory({ straight: sampleRun(0), "turning": sampleRun(1) });
  await matchSnapshot("trajectory", await figure.png());
  match(await figure.alt(), /straight 0, 0, 0, 0; turning.*degrees between successive predicted noises/);
});

Deno.test("a run that ends where its first step guessed is at distance 0 from there on, and never turns", () => {
  const points = trajectoryOf(sampleRun(0));
  equal(points.map(({ step }) => step).join(), "1,2,3,4");
  equal(points[3].distance, 0);
  ok(points.slice(1).every(({ angle }) => angle !== undefined && angle < 0.1), JSON.stringify(points));
  ok(trajectoryOf(sampleRun(1)).slice(1).every(({ angle }) => angle !== undefined && angle > 5));
  equal(points[0].angle, undefined);
  throws(() => trajectoryOf(sampleSteps()[0]), /Cannot follow a run that has taken no step/);
  throws(() => trajectory({}), /no runs/);
});

Deno.test("how values are spread, against the schedule; what is not finite is told", async () => {
  const run = sampleRun(1);
  const figure = histogram(run.path.slice(1));
  await matchSnapshot("histogram", await figure.png());
  const broken = sampleRun(0);
  broken.latent.data.set([NaN, Infinity]);
  match(await histogram([broken]).alt(), /2 values are NaN or infinite and stand in no bin/);
  equal(latentStatistics([broken])[0]["not finite"], 2);
});

Deno.test("each channel's deviation is the schedule's: noise apart from x0", () => {
  const [noise, ...steps] = sampleRun(0).path;
  for (const { deviation, expected } of latentStatistics([noise, ...steps])) {
    ok(Math.abs(deviation / expected - 1) < 0.12, `${deviation} against ${expected}`);
  }
});

Deno.test("spectra of x0 and of what each step changed", async () => {
  const figure = spectra(sampleRun(1).path);
  await matchSnapshot("spectra", await figure.png());
  match(await figure.alt(), /Power of x0 over frequency at step 1 of 4/);
  throws(() => spectra([sampleSteps()[0]]), /has taken no step/);
});

Deno.test("a profile as bars, blocks in the network's order", async () => {
  const layers = {
    weights: new Map([["conv_in", 7104], ["down_blocks.0.resnets.0.conv1", 406_848], [
      "mid_block.attentions.0.proj_in",
      2_791_808,
    ]]),
    outputs: new Map(),
  };
  const times = {
    "mid_block.attentions.0.proj_in/MatMul": 6000,
    "conv_in/Conv": 90,
    "down_blocks.0.resnets.0.conv1/Conv": 3000,
    "time_proj/Sin": 20,
  };
  const events = Object.entries(times).map(([name, dur]) => ({
    cat: "Node",
    name: `${name}_kernel_time`,
    dur,
    args: {},
  }));
  const trace = JSON.stringify([...events, { cat: "Session", name: "model_run", dur: 1, args: {} }]);
  const profile = new Profile([readTrace(trace, { part: "unet", warmUp: 0, layers })], 4);
  equal(
    profile.rows().map(({ name }) => name).join(),
    "conv_in,down_blocks.0.resnets.0,mid_block.attentions.0,time_proj",
  );
  const figure = profileFigure(profile);
  await matchSnapshot("profile", await figure.png());
  match(await figure.alt(), /the most: mid_block\.attentions\.0 66 %, down_blocks\.0\.resnets\.0 33 %/);
});

Deno.test("figures beside each other keep their sizes and their words", async () => {
  const [a, b] = [strip([disc(0)], { heading: "One" }), strip([disc(1), disc(0.5)], { heading: "Two" })];
  const [first, second, row] = [await a.drawing(), await b.drawing(), await beside([a, b]).drawing()];
  const column = await beside([a, b], { direction: "column", gap: 0 }).drawing();
  equal(row.width, first.width + second.width + 12);
  equal(column.height, first.height + second.height);
  equal(row.alt, "One. Two");
  equal(row.pictures.length, 3);
  throws(() => beside([]), /at least one/);
});
