/**
 * How each device's graphs are written and what it does not compute in, as far as it is known without its library: so
 * `inspect` tells it where no library may be called.
 */

import { cpu, cpuLean, cuda, cudaHalf, openvino, openvinoIn, webgpu, webgpuHalf } from "../../graph/lowering.ts";
import type { Runtime } from "./session.ts";

/** What of a runtime is known beforehand. */
export type Way = Pick<Runtime, "lowering" | "reduced" | "refused">;

const ONNX_RUNTIME_CPU = { bf16: "ONNX Runtime has no bfloat16 kernels for processors" };

/** What a GPU computes in by itself, without weights made for it beforehand. */
const GPU = {
  bf16: "its kernels are written for float32 and float16",
  int8: "its kernels take no 8-bit matrices",
  int4: "the kit's 4-bit weights are made for the processor",
};

export const ways = {
  cpu: { lowering: cpu, refused: ONNX_RUNTIME_CPU },
  cpuLean: { lowering: cpuLean, refused: ONNX_RUNTIME_CPU },
  webgpu: { lowering: webgpu, reduced: { fp16: webgpuHalf }, refused: GPU },
  cuda: { lowering: cuda, reduced: { fp16: cudaHalf }, refused: GPU },
  /** A processor may lack the arithmetic of bf16 or fp16, which its library tells. */
  openvino: {
    lowering: openvino,
    reduced: { fp16: openvinoIn("fp16"), bf16: openvinoIn("bf16") },
    refused: {
      int8: "the kit's 8-bit weights are made for ONNX Runtime",
      int4: "the kit's 4-bit weights are made for ONNX Runtime",
    },
  },
} as const satisfies Readonly<Record<string, Way>>;
