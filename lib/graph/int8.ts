/**
 * Linear layers and convolutions in 8-bit integers: weights quantised beforehand, one scale an output channel;
 * activations at run time, one scale and zero point a tensor. x·Wᵀ ≈ scaleₓ·scaleᵥᵥ·(codesₓ − zeroₓ)·codesᵥᵥ, summed
 * exactly in 32-bit integers.
 *
 * Jacob et al. 2017 (arXiv 1712.05877), section 2; Krishnamoorthi 2018 (arXiv 1806.08342), section 3.
 */

import { type Shape, Tensor } from "../tensor/tensor.ts";
import type { WeightRef } from "../weights/weights.ts";
import { type Lowering, MICROSOFT, type Network, type Scope, type Value, type Window } from "./builder.ts";

/** A layer's weight in 8 bits. */
export interface QuantizedWeight {
  /**
   * I8 `[in, out]`: the runtime's integer product takes no transposed weight. Of a convolution `[kernel·kernel·in, out]`,
   * the rows in the order in which `windows` lays the places of a window side by side.
   */
  readonly codes: WeightRef;
  /** F32 `[out]` */
  readonly scales: WeightRef;
}

/** `base`, but for the layers whose weights were quantised, by their keys. */
export function int8(base: Lowering, quantized: ReadonlyMap<string, QuantizedWeight>): Lowering {
  return {
    ...base,
    name: `${base.name}, int8`,
    why: `${base.why}; the U-Net's linear layers and convolutions multiply 8-bit integers`,

    matmul(g, x, weight, out, bias, after) {
      const found = quantized.get(weight.key);
      if (found === undefined) return base.matmul(g, x, weight, out, bias, after);
      // Queries, keys and values read one tensor, both halves of a gated layer too: it is quantised once for all.
      return product(g, codesOf(g, x), found, out, bias);
    },

    convolution(g, x, weight, out, bias, window) {
      const found = quantized.get(weight.key);
      if (found === undefined) return base.convolution(g, x, weight, out, bias, window);
      const quantised = codesOf(g, x);
      const places = windows(g, g.transpose(quantised.codes, [0, 2, 3, 1]), quantised.zero, window);
      return g.transpose(product(g, { ...quantised, codes: places }, found, out, bias), [0, 3, 1, 2]);
    },
  };
}

/** A tensor in unsigned 8 bits: (code − zero)·scale. */
interface Codes {
  readonly codes: Value;
  readonly scale: string;
  readonly zero: string;
}

function codesOf(g: Scope, x: Value): Codes {
  const [name, scale, zero] = g.graph.shared(x.name, "DynamicQuantizeLinear", 3);
  return { codes: { ...x, name }, scale, zero };
}

function product(
  g: Scope,
  { codes, scale, zero }: Codes,
  weight: QuantizedWeight,
  out: number,
  bias: WeightRef | undefined,
): Value {
  const [weightCodes, weightScales] = [g.graph.external(weight.codes), g.graph.external(weight.scales)];
  const inputs = [codes, weightCodes, scale, weightScales, zero, undefined, bias && g.stored(bias)];
  return g.op("MatMulIntegerToFloat", inputs, out, {}, MICROSOFT);
}

/**
 * What a convolution's window sees at each of its places, laid side by side, so that the convolution is a product of
 * matrices ("im2col"). The runtime's own integer convolution is three to six times slower than its float32 one, and this
 * two to six times faster.
 *
 * @param x codes, channels last: `[batch, height, width, in]`
 * @returns `[batch, height, width, kernel·kernel·in]`: row by row of the window, and of a place all channels
 */
function windows(g: Scope, x: Value, zero: string, { kernel, stride, pads: [top, left, below, right] }: Window): Value {
  if (kernel === 1 && stride === 1) return x;
  const padded = g.op("Pad", [x, g.ints(0, top, left, 0, 0, below, right, 0), zero], x.channels);
  const last = kernel - 1;
  const end = (at: number) => at < last ? at - last : END;
  const places = Array.from({ length: kernel * kernel }, (_, i) => {
    const [row, column] = [Math.floor(i / kernel), i % kernel];
    const bounds = [g.ints(row, column), g.ints(end(row), end(column)), g.ints(1, 2), g.ints(stride, stride)];
    return g.op("Slice", [padded, ...bounds], x.channels);
  });
  return g.concat(places, -1);
}

/** Behind every axis's end: ONNX cuts it off there. */
const END = 2 ** 31 - 1;

/** The weights of a network's layers, as its graph asks for them: some are parts of a tensor. */
export interface LayerWeights {
  /** `[out, in]` */
  readonly linear: readonly WeightRef[];
  /** `[out, in, kernel, kernel]` */
  readonly convolutions: readonly WeightRef[];
}

export function layerWeights(base: Lowering, build: (lowering: Lowering) => Network): LayerWeights {
  const [linear, convolutions]: [WeightRef[], WeightRef[]] = [[], []];
  build({
    ...base,
    matmul(g, x, weight, out, bias, after) {
      linear.push(weight);
      return base.matmul(g, x, weight, out, bias, after);
    },
    convolution(g, x, weight, out, bias, window) {
      convolutions.push(weight);
      return base.convolution(g, x, weight, out, bias, window);
    },
  });
  return { linear, convolutions };
}

/** The order of a convolution's weight in which `windows` lays places: `[out, in, k, k]` → `[out, k·k·in]`. */
export function channelsLast({ data, shape }: Tensor): Tensor {
  const [out, inner, kernel]: Shape = shape;
  const area = kernel * kernel;
  const turned = new Float32Array(data.length);
  for (let row = 0; row < out; row++) {
    for (let place = 0; place < area; place++) {
      for (let channel = 0; channel < inner; channel++) {
        turned[(row * area + place) * inner + channel] = data[(row * inner + channel) * area + place];
      }
    }
  }
  return new Tensor(turned, [out, area * inner]);
}
