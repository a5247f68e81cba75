/** How the tensors of a part meet its network: every one that is missing, of another shape, unread or unknown. */

import { buildClipText } from "../../graph/clip.ts";
import { cpu } from "../../graph/lowering.ts";
import { buildUnet } from "../../graph/unet.ts";
import { buildTinyDecoder, buildTinyEncoder } from "../../graph/tiny_vae.ts";
import { buildVaeDecoder, buildVaeEncoder } from "../../graph/vae.ts";
import { formatShape, type Shape, sizeOf } from "../../tensor/tensor.ts";
import { isTiny } from "../../weights/architecture.ts";
import type { Contents, Part, PartName } from "../../weights/checkpoint.ts";
import type { TensorEntry } from "../../weights/safetensors.ts";
import { shapeOf, type WeightRef, type Weights, type WeightSource } from "../../weights/weights.ts";
import type { Architecture, Aside, KeyReport, Misfit, Views } from "./inspection.ts";

/** Answers every question of a graph with yes, and notes those that the file cannot. */
class Noting implements WeightSource {
  readonly missing: { key: string; shape: Shape }[] = [];
  readonly misfits: Misfit[] = [];
  readonly used = new Map<string, WeightRef>();
  readonly part: string;

  constructor(readonly weights: Weights) {
    this.part = weights.part;
  }

  has(key: string): boolean {
    return this.weights.has(key);
  }

  get(key: string, shape: Shape): WeightRef {
    const stored = this.weights.shape(key);
    if (stored === undefined) this.missing.push({ key, shape });
    else if (formatShape(stored) !== formatShape(shape)) this.misfits.push({ key, shape: stored, wanted: shape });
    else {
      const ref = this.weights.get(key, shape);
      this.used.set(key, ref);
      return ref;
    }
    return { key, file: "/missing", dtype: "F32", shape, offset: 0, byteLength: 4 * sizeOf(shape) };
  }
}

/** What is left alone on purpose. Names are as in the file, without the prefix of its part, or diffusers'. */
const ASIDE: readonly (readonly [RegExp, string])[] = [
  [/^model_ema\./, "averaged copies of the weights, from training"],
  [/(^|\.)position_ids$/, "a buffer of 0, 1, 2, …"],
  [/(^|\.)logit_scale$/, "used in CLIP's training alone"],
  [/^text_encoder:(last layer|text_model\.final_layer_norm)\./, "the last layer: SDXL reads the one before it"],
  [/^(denoiser\.sigmas|betas|.*alphas_cumprod.*|posterior_.*|logvar|lvlb_weights)$/, "the training's noise schedule"],
];

/** Groups names by why they are left alone. A name without a reason is unknown. */
export function setAside(names: readonly (readonly [name: string, key: string])[]): {
  readonly aside: readonly Aside[];
  readonly unknown: readonly string[];
} {
  const groups = new Map<string, string[]>();
  const unknown: string[] = [];
  for (const [name, key] of names) {
    const why = ASIDE.find(([pattern]) => pattern.test(key))?.[1];
    if (why === undefined) unknown.push(name);
    else groups.set(why, [...groups.get(why) ?? [], name]);
  }
  return { aside: [...groups].map(([why, names]) => ({ why, names })), unknown };
}

/** Builds a part's network to see what it asks for. @throws what the graph throws, where even that cannot be done */
export function reportKeys(part: PartName, contents: Contents): KeyReport | undefined {
  const { unet, vae, textEncoder, textEncoder2 } = contents;
  const report = <A extends Architecture>(
    told: Part<A> | undefined,
    build: (architecture: A, weights: WeightSource) => unknown,
  ): KeyReport | undefined => {
    if (told === undefined) return undefined;
    const noting = new Noting(told.weights);
    build(told.architecture, noting);
    return reportOf(part, noting, "layers" in told.architecture ? told.architecture.layers - 1 : -1);
  };
  switch (part) {
    case "unet":
      return report(unet, (architecture, weights) => buildUnet(architecture, weights, { lowering: cpu }));
    case "vae":
      return report(vae, (architecture, weights) => {
        const both = vae && encodes(vae);
        if (isTiny(architecture)) {
          buildTinyDecoder(architecture, weights, { lowering: cpu });
          if (both) buildTinyEncoder(architecture, weights, { lowering: cpu });
        } else {
          buildVaeDecoder(architecture, weights, { lowering: cpu });
          if (both) buildVaeEncoder(architecture, weights, { lowering: cpu });
        }
      });
    case "text_encoder":
      return report(textEncoder, (architecture, weights) => buildClipText(architecture, weights, { lowering: cpu }));
    case "text_encoder_2":
      return report(textEncoder2, (architecture, weights) => buildClipText(architecture, weights, { lowering: cpu }));
  }
}

/** Whether a VAE brings its encoder: some are published to decode alone. */
export function encodes({ weights }: Pick<Part<Architecture>, "weights">): boolean {
  return weights.refs.some(({ key }) => key.startsWith("encoder."));
}

function reportOf(part: PartName, { weights, used, missing, misfits }: Noting, lastLayer: number): KeyReport {
  const wrong = new Set(misfits.map(({ key }) => key));
  const unread = weights.refs.filter(({ key }) => !used.has(key) && !wrong.has(key));
  const { aside, unknown } = setAside([
    ...weights.ignored.map((name) => [name, name] as const),
    ...unread.map(({ key }) => {
      const known = key.replace(`text_model.encoder.layers.${lastLayer}.`, "last layer.");
      return [weights.origin(key) ?? key, `${part}:${known}`] as const;
    }),
  ]);
  const keys = [...used.keys()];
  return {
    used: new Set([...used].map(([key, { file }]) => `${file}:${weights.origin(key)}`)).size,
    renamed:
      new Set(keys.filter((key) => !(weights.origin(key) ?? key).endsWith(key)).map((key) => weights.origin(key)))
        .size,
    views: viewsOf(weights, used),
    missing,
    misfits,
    aside,
    unknown,
  };
}

function viewsOf(weights: Weights, used: ReadonlyMap<string, WeightRef>): Views {
  const views = { rows: 0, transpose: 0, squeeze: 0, cast: 0 };
  for (const [key, ref] of used) {
    const entry = entryOf(weights, key, ref.file);
    if (entry === undefined) continue;
    if (ref.byteLength < entry.byteLength) views.rows++;
    else if (shapeOf(ref).length < entry.shape.length) views.squeeze++;
    if (ref.transposed) views.transpose++;
    if (ref.dtype !== "F32") views.cast++;
  }
  return views;
}

function entryOf(weights: Weights, key: string, file: string): TensorEntry | undefined {
  const name = weights.origin(key);
  return name === undefined ? undefined : weights.files.find(({ path }) => path === file)?.tensors.get(name);
}
