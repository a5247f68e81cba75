/** Where a model can be computed. Each device's code is loaded when it is asked for. */

import type { Runtime } from "./session.ts";

/** What `open` takes as `device`; docs/devices.md says what each needs. */
export const DEVICES = ["cpu", "webgpu", "cuda", "openvino", "openvino:CPU", "openvino:GPU", "openvino:NPU"] as const;

/** ONNX Runtime's processor, WebGPU or CUDA provider; OpenVINO's processor (as "openvino" alone), GPU or NPU. */
export type Device = typeof DEVICES[number];

export interface RuntimeOptions {
  /** Threads inside an operator, on processors. Default: the runtime's own choice, one a core. */
  readonly threads?: number;
  readonly memory?: "fast" | "lean";
}

/** @throws RangeError where the device or its library is not there */
export async function runtimeOn(device: Device, { threads, memory }: RuntimeOptions = {}): Promise<Runtime> {
  switch (device) {
    case "cpu":
      return (await import("./onnxruntime.ts")).onnxRuntimeCpu({ threads, memory });
    case "webgpu":
      return (await import("./onnxruntime.ts")).onnxRuntimeWebGpu();
    case "cuda":
      return (await import("./onnxruntime.ts")).onnxRuntimeCuda();
    case "openvino":
    case "openvino:CPU":
      return (await import("./openvino.ts")).openVino({ device: "CPU", threads });
    case "openvino:GPU":
      return (await import("./openvino.ts")).openVino({ device: "GPU" });
    case "openvino:NPU":
      return (await import("./openvino.ts")).openVino({ device: "NPU" });
  }
}
