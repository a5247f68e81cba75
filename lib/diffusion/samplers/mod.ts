/** All samplers, by name. */

import type { Sampler, SamplerName } from "../contract.ts";
import { lcm, tcd } from "./consistency.ts";
import { ddim } from "./ddim.ts";
import { dpmpp2m, dpmpp2mSde } from "./dpmpp.ts";
import { euler, eulerAncestral } from "./euler.ts";
import { heun } from "./heun.ts";

export { inSpace } from "./space.ts";

export const samplers: Readonly<Record<SamplerName, Sampler>> = {
  "euler": euler,
  "euler-ancestral": eulerAncestral,
  "heun": heun,
  "ddim": ddim,
  "dpmpp-2m": dpmpp2m,
  "dpmpp-2m-sde": dpmpp2mSde,
  "lcm": lcm,
  "tcd": tcd,
};
