/** A recorded run, taken again without the network: the record's outputs drive the sampler. */

import { latentMask, type Trajectory } from "../diffusion/mod.ts";
import { Tensor } from "../tensor/tensor.ts";
import { advance, branch } from "./advance.ts";
import { Conditioning, type Sizes } from "./conditioning.ts";
import type { RunRecord } from "./record.ts";
import type { Request } from "./request.ts";
import { drawStart, type Encodes } from "./start.ts";
import { Step } from "./step.ts";

/** How far a replayed latent may be from the recorded one, relative L2: a record of the kit's own is bit-equal. */
const TOLERANCE = 1e-5;

export interface ReplayOptions {
  /** Steps to keep. Default all. */
  readonly index?: number;
  /** What the model's VAE makes of a picture: whether the start drew noise for one. */
  readonly encodes: Encodes;
  readonly planOf: (request: Request) => Trajectory;
  readonly conditionOf: (request: Request, trajectory: Trajectory) => Promise<Conditioning>;
}

/** @throws RangeError when the record has no such step, or this kit's sampler would not have made its latents */
export async function replay(record: RunRecord, { index, encodes, planOf, conditionOf }: ReplayOptions): Promise<Step> {
  const taken = record.denoised.shape[0];
  const keep = index ?? taken;
  if (!Number.isInteger(keep) || keep < 0 || keep > taken) {
    throw new RangeError(`Cannot resume at step ${keep}: the record holds steps 0 to ${taken}.`);
  }
  const requestAt = (i: number): Request => record.earlier.find(({ until }) => i <= until)?.request ?? record.request;
  const schedule = matchingSchedule(record, planOf(requestAt(0)));
  const under = async (request: Request) => {
    const trajectory = { ...planOf(request), schedule };
    return { request, trajectory, conditioning: await conditionOf(request, trajectory) };
  };
  const first = await under(requestAt(0));
  const { noise, initLatents: original } = record;
  const { mask } = first.request;
  let step = new Step({
    ...first,
    index: 0,
    latent: record.latents.at(0),
    noise,
    inpainting: mask && original && { original, mask: latentMask(mask, noise.shape) },
    generators: drawStart(first.request, noise.shape.slice(1), encodes).generators,
    history: [],
    timing: { unet: 0, step: record.timing.begin },
    memory: { resident: 0, peak: 0 },
  });
  for (let i = 0; i < keep; i++) {
    const timing = { unet: record.timing.unet[i], step: record.timing.steps[i] };
    const memory = { resident: record.memory.resident[i], peak: record.memory.peak[i] };
    step = advance(step, record.prediction.at(i), () => ({ timing, memory }));
    const request = requestAt(i + 1);
    if (request !== step.request) step = branch(step, await under(request));
    wantEqual(step.latent, record.latents.at(i + 1), i + 1);
  }
  return step;
}

/** The embeddings of a record, which stand for the request that it ended with. */
export function recordedConditioning(record: RunRecord, sizes: Sizes): Conditioning {
  const { promptEmbeds, pooledPromptEmbeds, negativePromptEmbeds, negativePooledPromptEmbeds } = record;
  const negative = negativePromptEmbeds && negativePooledPromptEmbeds
    ? { embeds: negativePromptEmbeds, pooled: negativePooledPromptEmbeds }
    : undefined;
  return Conditioning.ofRows(sizes, { embeds: promptEmbeds, pooled: pooledPromptEmbeds }, negative);
}

function matchingSchedule({ timesteps, sigmas }: RunRecord, { schedule }: Trajectory): Trajectory["schedule"] {
  const differs = schedule.timesteps.length !== timesteps.data.length ||
    schedule.timesteps.some((t, i) => Math.abs(t - timesteps.data[i]) > 1e-3) ||
    schedule.sigmas.some((sigma, i) => Math.abs(sigma - sigmas.data[i]) > 1e-5 * Math.max(1, sigma));
  if (differs) {
    throw new RangeError(
      `Cannot resume: the record's timesteps are [${timesteps.data}], its request makes [${schedule.timesteps}] ` +
        `with this model's scheduler. Was it made with another model?`,
    );
  }
  return schedule;
}

function wantEqual(replayed: Tensor, recorded: Tensor, index: number): void {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < recorded.data.length; i++) {
    difference += (replayed.data[i] - recorded.data[i]) ** 2;
    norm += recorded.data[i] ** 2;
  }
  const error = Math.sqrt(difference / Math.max(norm, Number.MIN_VALUE));
  if (error <= TOLERANCE) return;
  throw new RangeError(
    `Cannot resume: from the record's outputs this kit's sampler makes other latents at step ${index} ` +
      `(relative L2 ${error.toExponential(1)}). Was it made with another model or version?`,
  );
}
