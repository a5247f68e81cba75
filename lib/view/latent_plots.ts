/** A latent's numbers as plots and tables: how they are spread, against what the schedule says, and over frequency. */

import { inSpace, samplers } from "../diffusion/mod.ts";
import { spectrum, statistics } from "../measure/latent.ts";
import type { Step } from "../model/step.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { beside } from "./beside.ts";
import type { Figure } from "./figure.ts";
import { formatSigma, stepTitle } from "./items.ts";
import { lines, type Series } from "./lines.ts";

/** One channel of a step's x_t. A row of a table. */
export interface ChannelRow {
  /** Its index. */
  readonly step: number;
  /** 0 to 3. */
  readonly channel: number;
  /** Of its values. */
  readonly mean: number;
  /** Standard deviation of its values. */
  readonly deviation: number;
  /** √(σ² + s²), s being the deviation of the same channel's x0 guess: x_t = x0 + σ·noise, noise apart from x0. */
  readonly expected: number;
  /** The smallest value. */
  readonly least: number;
  /** The largest value. */
  readonly most: number;
  /** Values that are NaN or infinite. */
  readonly "not finite": number;
}

/**
 * Mean and deviation of each channel of x_t, beside the deviation that the schedule expects after the step. Of a batch,
 * the first picture. Samplers that hold x in another scale are brought to x0 + σ·noise first.
 */
export function latentStatistics(steps: readonly Step[]): ChannelRow[] {
  return steps.flatMap((step) => {
    const latent = asExploding(step).at(0);
    // Before the first step there is no guess of x0: latents in the model's own scale have deviation 1.
    const x0 = step.index === 0 ? undefined : step.denoised.at(0);
    return Array.from({ length: latent.shape[0] }, (_, channel) => {
      const { mean, deviation, least, most, notFinite } = statistics(latent.at(channel));
      const own = x0 === undefined ? 1 : statistics(x0.at(channel)).deviation;
      // Pure noise holds no x0 at all.
      const expected = step.index === 0 ? step.trajectory.schedule.initNoiseSigma : Math.hypot(step.sigmaNext, own);
      return { step: step.index, channel, mean, deviation, expected, least, most, "not finite": notFinite };
    });
  });
}

const bins = 48;

/**
 * How the values of x_t are spread, a line a step, and dashed the normal distribution that the schedule expects; values
 * in units of the expected deviation, so that steps of any noise level share the axis. What is not finite is told.
 */
export function histogram(steps: readonly Step[], { heading }: { readonly heading?: string } = {}): Figure {
  if (steps.length === 0) throw new RangeError("Cannot draw the histogram of no steps: at least one was wanted.");
  const reach = 4;
  const width = 2 * reach / bins;
  let [broken, outside] = [0, 0];
  const series = steps.map((step): Series => {
    const rows = latentStatistics([step]);
    const latent = asExploding(step).at(0);
    const counts = new Float64Array(bins);
    let total = 0;
    rows.forEach(({ expected }, channel) => {
      for (const value of latent.at(channel).data) {
        if (!Number.isFinite(value)) broken++;
        else if (Math.abs(value / expected) >= reach) outside++;
        else counts[Math.floor((value / expected + reach) / width)]++;
        total++;
      }
    });
    const points = Array.from(
      counts,
      (count, bin) => ({ x: -reach + (bin + 0.5) * width, y: count / (total * width) }),
    );
    return { name: stepTitle(step), points, marks: "none" };
  });
  const normal = Array.from({ length: bins + 1 }, (_, bin) => {
    const x = -reach + bin * width;
    return { x, y: Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) };
  });
  const notes = [
    ...broken === 0 ? [] : [`${broken} values are NaN or infinite and stand in no bin.`],
    ...outside === 0 ? [] : [`${outside} values lie more than ${reach} expected deviations out.`],
  ];
  return lines([...series, { name: "expected", points: normal, color: 6, line: "dashed", marks: "none" }], {
    heading: heading ?? "How the values of x_t are spread",
    width: 560,
    xLabel: "value / expected deviation",
    yLabel: "density",
    y: "linear-from-0",
    notes,
    alt: `${heading ?? "Histogram of x_t"}: ${steps.map(stepTitle).join(", ")}, against the normal distribution. ` +
      notes.join(" "),
  });
}

/**
 * Where in frequency a run works. Left: the power of each step's x0, radially averaged (see `spectrum`), coarse
 * structure at the left; dashed, x_t of the first step. Right: the power of what each step changed in x0.
 */
export function spectra(steps: readonly Step[], { heading }: { readonly heading?: string } = {}): Figure {
  const taken = steps.filter(({ index }) => index > 0);
  if (taken.length === 0) throw new RangeError("Cannot draw the spectra of a run that has taken no step.");
  const [first] = taken;
  const noisy = asExploding(first);
  const guesses = [
    ...taken.map((step, color): Series => ({
      name: stepTitle(step),
      color,
      points: points(step.denoised),
      marks: "none",
    })),
    ...first.sigmaNext === 0 ? [] : [{
      name: `x_t, σ ${formatSigma(first.sigmaNext)}`,
      color: 6,
      line: "dashed" as const,
      points: points(noisy),
      marks: "none" as const,
    }],
  ];
  const axes = { xLabel: "cycles per latent cell →", x: "log" as const, y: "log" as const };
  const left = lines(guesses, {
    ...axes,
    heading: heading ?? "What x0 is made of",
    yLabel: "power of x0",
    alt: `Power of x0 over frequency at ${taken.map(stepTitle).join(", ")}`,
  });
  const changes = taken.slice(1).map((step, index): Series => ({
    name: stepTitle(step),
    color: index + 1,
    points: points(step.denoised.minus(taken[index].denoised)).filter(({ y }) => y > 0),
    marks: "none",
  }));
  if (changes.every(({ points }) => points.length === 0)) return left;
  return beside([
    left,
    lines(changes, {
      ...axes,
      heading: "What each step changed",
      yLabel: "power of the change of x0",
      alt: "Power over frequency of what each step changed in x0",
    }),
  ]);
}

function points(latent: Tensor): { x: number; y: number }[] {
  const { frequency, power } = spectrum(latent);
  return frequency.map((x, index) => ({ x, y: power[index] }));
}

/** x_t as x0 + σ·noise, whatever its sampler holds. */
function asExploding(step: Step): Tensor {
  return inSpace(step.latent, samplers[step.trajectory.sampler].space, "exploding", step.sigmaNext);
}
