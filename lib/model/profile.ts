/** Where a run's time and memory go, operator by operator: text encoders, U-Net, VAE. */

import {
  type NetworkProfile,
  type OperatorProfile,
  type ProfileBy,
  type ProfileRow,
  rollUp,
} from "../measure/profile.ts";
import type { Model } from "./model.ts";
import type { Request } from "./request.ts";

/** What is profiled. */
export interface ProfileOptions {
  /** Runs of every network, after one that warms up; the fastest counts. Default 5. */
  readonly rounds?: number;
}

/** Where the time of a run went, operator by operator. `profile` makes it. */
export class Profile {
  /** In the order in which they ran: text encoders, U-Net, VAE. */
  readonly networks: readonly NetworkProfile[];
  /** Denoising steps that the request takes: the U-Net's row is one of them. */
  readonly steps: number;

  /** Use `profile`. */
  constructor(networks: readonly NetworkProfile[], steps: number) {
    this.networks = networks;
    this.steps = steps;
  }

  /** Every operator of every network, in the order in which they ran. */
  get operators(): readonly OperatorProfile[] {
    return this.networks.flatMap(({ operators }) => operators);
  }

  /**
   * Operators put together, for a table: `await show(profile.rows("block", "unet"))`.
   *
   * @param by see `ProfileBy`; blocks stand in the network's order, anything else by its time
   * @param part one network alone; default all
   */
  rows(by: ProfileBy = "block", part?: string): ProfileRow[] {
    const parts = this.networks.map((network) => network.part);
    if (part !== undefined && !parts.includes(part)) {
      throw new RangeError(`Cannot profile "${part}": no such network ran. Those that did: ${parts.join(", ")}.`);
    }
    return rollUp(this.networks.filter((network) => part === undefined || network.part === part), by);
  }
}

/**
 * Runs a request's text encoders, its first denoising step and the VAE's decoder with the runtime's per-operator clock
 * on. What the clock itself costs stands between the operators and is not in their times.
 *
 * @throws RangeError when the model's runtime has no such clock
 */
export async function profile(model: Model, request: Request, { rounds = 5 }: ProfileOptions = {}): Promise<Profile> {
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new RangeError(`Cannot profile ${rounds} rounds: a whole number of at least 1 was wanted.`);
  }
  const networks: NetworkProfile[] = [];
  const runtime = model.runtime.profiled?.(rounds, (network) => networks.push(network));
  if (runtime === undefined) {
    throw new RangeError(`Cannot profile on ${model.runtime.name}: it has no clock for single operators. Use the CPU.`);
  }
  const probe = await model.on(runtime);
  const noise = await probe.begin(request);
  const step = await probe.next(noise);
  await probe.decode(step.denoised);
  await probe.close();
  return new Profile(networks, noise.count);
}
