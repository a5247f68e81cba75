/**
 * DPM-Solver++: Lu et al. 2022 (arXiv 2211.01095). x = α·x0 + σ_t·noise; λ = ln(α/σ_t) = −ln σ.
 * diffusers' DPMSolverMultistepScheduler with `midpoint`. First order at the start, and at the end where λ is infinite.
 */

import type { Sampler, SamplerState } from "../contract.ts";
import { alphaSigma } from "../prediction.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { mix, renoised } from "./mix.ts";
import { unscaled } from "./space.ts";

/** Below this many steps diffusers takes the last one in first order in any case (`lower_order_final`). */
const FEW = 15;

/** x0 with the trend of the last two: D of algorithm 2, D = (1 + 1/2r)·m0 − 1/2r·m1 with r = h₀/h. */
function extrapolated({ index, schedule: { sigmas }, history }: SamplerState, m0: Tensor): Tensor {
  const m1 = history.at(-1);
  const last = index === sigmas.length - 2;
  if (m1 === undefined || last && (sigmas[index + 1] === 0 || sigmas.length - 1 < FEW)) return m0;
  const h = Math.log(sigmas[index] / sigmas[index + 1]);
  const h0 = Math.log(sigmas[index - 1] / sigmas[index]);
  if (h0 === 0) return m0; // on a schedule of Heun's, which holds each level twice
  const half = h / h0 / 2;
  return mix(1 + half, m0, -half, m1);
}

/** Algorithm 2 (2M): x_t = (σ_t/σ_s)·x − α_t(e^(−h) − 1)·D. */
export const dpmpp2m: Sampler = {
  space: "preserving",
  draws: () => false,
  scaleInput: unscaled,
  step(state, m0) {
    const { x, index, schedule: { sigmas } } = state;
    const [s, t] = [alphaSigma(sigmas[index]), alphaSigma(sigmas[index + 1])];
    const decay = sigmas[index + 1] / sigmas[index]; // e^(−h)
    const D = extrapolated(state, m0);
    return { x: mix(t.sigmaT / s.sigmaT, x, t.alpha * (1 - decay), D), history: [m0] };
  },
};

/** The same on the reverse SDE (2M SDE), appendix: twice as far down, the rest put back as noise. */
export const dpmpp2mSde: Sampler = {
  space: "preserving",
  draws: () => true, // on the last step too, times 0, as diffusers does
  scaleInput: unscaled,
  step(state, m0, noise) {
    const { x, index, schedule: { sigmas } } = state;
    const [s, t] = [alphaSigma(sigmas[index]), alphaSigma(sigmas[index + 1])];
    const decay = sigmas[index + 1] / sigmas[index]; // e^(−h)
    const D = extrapolated(state, m0);
    const lower = mix(t.sigmaT / s.sigmaT * decay, x, t.alpha * (1 - decay ** 2), D);
    return { x: renoised(lower, t.sigmaT * Math.sqrt(1 - decay ** 2), noise), history: [m0] };
  },
};
