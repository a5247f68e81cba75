/**
 * What made one picture, in the two forms that other tools read from a PNG: the line of settings that A1111's tools show
 * (keyword "parameters"), and a graph of nodes in ComfyUI's API format (keyword "prompt").
 *
 * Both are for people and a good start there; neither promises the same picture, as schedules differ in detail between
 * the tools. The kit's own provenance stands beside them and holds everything.
 */

import { basename } from "node:path";
import type { Provenance, ProvenanceModel, ProvenanceRun } from "../model/provenance.ts";

/** Of each sampler its name there: A1111's and its descendants', ComfyUI's. */
const samplerNames: Readonly<Record<string, readonly [a1111: string, comfy: string]>> = {
  "euler": ["Euler", "euler"],
  "euler-ancestral": ["Euler a", "euler_ancestral"],
  "heun": ["Heun", "heun"],
  "ddim": ["DDIM", "ddim"],
  "dpmpp-2m": ["DPM++ 2M", "dpmpp_2m"],
  "dpmpp-2m-sde": ["DPM++ 2M SDE", "dpmpp_2m_sde"],
  "lcm": ["LCM", "lcm"],
  "tcd": ["TCD", "lcm"], // ComfyUI has no TCD of its own
};

/** The keywords and texts for a picture of exactly one run; none for others. */
export function parametersOf(provenance: Provenance): Map<string, string> {
  const [run, ...others] = provenance.runs;
  const model = run && provenance.models[run.model];
  if (model === undefined || others.length > 0) return new Map();
  return new Map([
    ["parameters", settingsLine(run, model, provenance.software.fewstep)],
    // Seeds have 64 bits, JavaScript's numbers 53: the digits go into the JSON as they are.
    ["prompt", JSON.stringify(comfyGraph(run, model)).replace(/"seed":"(\d+)"/, '"seed":$1')],
  ]);
}

/** Prompt, negative prompt, and the settings in a line, as A1111's tools write and read them. */
export function settingsLine(run: ProvenanceRun, model: ProvenanceModel, version: string): string {
  const { request, size: { width, height } } = run;
  const weights = weightsOf(model);
  const settings: readonly (readonly [string, string | number | undefined])[] = [
    ["Steps", run.steps],
    ["Sampler", samplerNames[run.sampler]?.[0] ?? run.sampler],
    ["Schedule type", scheduleName(run)],
    ["CFG scale", Math.max(1, run.guidance)],
    ["Seed", seedOf(run)],
    ["Size", `${width}x${height}`],
    ["Model hash", weights.digest?.slice(0, 10)],
    ["Model", weights.name],
    ["RNG", request.rng === "cuda" ? "GPU" : "CPU"],
    ["Denoising strength", request.strength],
    ["Recipe", request.recipe ?? "base"],
    ["Version", `Fewstep ${version}`],
  ];
  const loras = model.loras.map(({ path, strength }, index) =>
    ` <lora:${stem(path)}:${request.loraStrengths?.[index] ?? strength}>`
  );
  return [
    request.prompt + loras.join(""),
    ...request.negative === undefined ? [] : [`Negative prompt: ${request.negative}`],
    settings.filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${quoted(String(value))}`).join(", "),
  ].join("\n");
}

/** Nodes by number, each with its class and inputs; `[node, output]` links them. The seed stands as text. */
export function comfyGraph(
  run: ProvenanceRun,
  model: ProvenanceModel,
): Record<string, { class_type: string; inputs: Record<string, unknown> }> {
  const { request, size: { width, height } } = run;
  const nodes: Record<string, { class_type: string; inputs: Record<string, unknown> }> = {
    "4": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: basename(model.checkpoint) } },
  };
  let [unet, clip]: [unknown, unknown] = [["4", 0], ["4", 1]];
  if (model.unet !== undefined) {
    nodes["10"] = { class_type: "UNETLoader", inputs: { unet_name: basename(model.unet), weight_dtype: "default" } };
    unet = ["10", 0];
  }
  if (model.vae !== undefined) {
    nodes["11"] = { class_type: "VAELoader", inputs: { vae_name: basename(model.vae) } };
  }
  model.loras.forEach(({ path, strength: opened }, index) => {
    const strength = request.loraStrengths?.[index] ?? opened;
    const node = String(20 + index);
    nodes[node] = {
      class_type: "LoraLoader",
      inputs: { lora_name: basename(path), strength_model: strength, strength_clip: strength, model: unet, clip },
    };
    [unet, clip] = [[node, 0], [node, 1]];
  });
  const text = (words: string) => ({ class_type: "CLIPTextEncode", inputs: { text: words, clip } });
  nodes["6"] = text(request.prompt);
  nodes["7"] = text(request.negative ?? "");
  nodes["5"] = { class_type: "EmptyLatentImage", inputs: { width, height, batch_size: 1 } };
  nodes["3"] = {
    class_type: "KSampler",
    inputs: {
      seed: seedOf(run),
      steps: run.steps,
      cfg: Math.max(1, run.guidance),
      sampler_name: samplerNames[run.sampler]?.[1] ?? run.sampler,
      scheduler: scheduleName(run) === "SGM Uniform" ? "sgm_uniform" : "normal",
      denoise: request.strength ?? 1,
      model: unet,
      positive: ["6", 0],
      negative: ["7", 0],
      latent_image: ["5", 0],
    },
  };
  nodes["8"] = {
    class_type: "VAEDecode",
    inputs: { samples: ["3", 0], vae: model.vae === undefined ? ["4", 2] : ["11", 0] },
  };
  nodes["9"] = { class_type: "SaveImage", inputs: { filename_prefix: "fewstep", images: ["8", 0] } };
  return nodes;
}

/** The seed of the picture that is shown. */
function seedOf({ request: { seed }, picture = 0 }: ProvenanceRun): string {
  return seed[picture] ?? seed[0] ?? "0";
}

/** Trailing timesteps are what those tools call SGM Uniform, but for fractions of a step. */
function scheduleName({ spacing }: ProvenanceRun): string {
  return spacing === "trailing" || spacing === "sgm-uniform" ? "SGM Uniform" : "Normal";
}

/** What draws: the U-Net in place of the checkpoint's, or the checkpoint. */
function weightsOf({ checkpoint, unet, digests }: ProvenanceModel): { name: string; digest: string | undefined } {
  const files = Object.entries(digests.unet ?? {});
  const replaced = unet === undefined ? undefined : files.find(([name]) => name === basename(unet));
  return { name: stem(unet ?? checkpoint), digest: (replaced ?? files[0])?.[1] };
}

const stem = (path: string) => basename(path).replace(/\.(safetensors|ckpt)$/, "");

/** In quotation marks where a reader would take a comma or colon for the end of the value. */
const quoted = (value: string) => /[,:\n]/.test(value) ? JSON.stringify(value) : value;
