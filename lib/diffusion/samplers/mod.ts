/** All samplers, by name. */

import type { Sampler, SamplerName } from "../contract.ts";
import { euler } from "./euler.ts";

export const samplers: Readonly<Record<SamplerName, Sampler>> = { euler };
