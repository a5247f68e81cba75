/** What a step's network attended to and computed inside, where that was asked for. */

import type { Observable, Observe } from "../graph/observable.ts";
import { formatShape, type Shape, Tensor } from "../tensor/tensor.ts";
import type { Word } from "../text/tokenizer.ts";

/** Where an attention looked. Of a guided run the prompt's half and the negative's are apart. */
export interface AttentionMap {
  /** The attention's place in the network, as its weights are called. */
  readonly layer: string;
  /** On the text's tokens, or on the picture's own places. */
  readonly of: "text" | "self";
  /**
   * Probabilities, `[batch, heads, height, width, keys]`: what each place attended to, 1 in sum. Height and width are
   * the layer's own; heads is 1 where they were averaged; keys are 77 tokens, or height·width places in rows.
   */
  readonly probabilities: Tensor;
  /** The same for the unconditional half; undefined where the step was not guided. */
  readonly unconditional: Tensor | undefined;
}

/** What a block gave on to the next. */
export interface FeatureMap {
  /** The block's place in the network, as its weights are called. */
  readonly layer: string;
  /** `[batch, channels, height, width]`, of the prompt's half. */
  readonly values: Tensor;
  /** The same for the unconditional half; undefined where the step was not guided. */
  readonly unconditional: Tensor | undefined;
}

/** What was seen inside the network in a step. */
export interface Observed {
  /** Words of the prompt and the places of their tokens. */
  readonly words: readonly Word[];
  /** By layer, in the network's order. */
  readonly attention: ReadonlyMap<string, AttentionMap>;
  /** By layer, in the network's order. */
  readonly features: ReadonlyMap<string, FeatureMap>;
}

/** What to look at. */
export interface ObserveOptions {
  /** Attention averaged over its heads (default: 5 to 20 times less memory in SDXL), or each head's. */
  readonly heads?: "mean" | "each";
}

/**
 * The layers that names and patterns stand for. `*` stands for any letters, dots too: `*.attn2`, `up_blocks.1.*.attn1`.
 *
 * @throws RangeError when one of them stands for no layer
 */
export function resolveLayers(patterns: readonly string[], observable: readonly Observable[]): readonly string[] {
  const wanted = new Set<string>();
  for (const pattern of patterns) {
    const expression = new RegExp(`^${pattern.split("*").map(RegExp.escape).join(".*")}$`);
    const found = observable.filter(({ layer }) => expression.test(layer));
    if (found.length === 0) {
      const [attention, features] = (["attention", "features"] as const).map((kind) =>
        observable.find((one) => one.kind === kind)?.layer
      );
      throw new RangeError(
        `Cannot observe "${pattern}": no layer of this U-Net has that name. It has ${observable.length}, among them ` +
          `${[attention, features].filter((name) => name !== undefined).join(" and ")}; model.observable lists them.`,
      );
    }
    for (const { layer } of found) wanted.add(layer);
  }
  return observable.map(({ layer }) => layer).filter((layer) => wanted.has(layer));
}

/**
 * The network's extra outputs, told apart by layer and half.
 *
 * @param latent `[batch, 4, height/8, width/8]`, of which each level of the network has half the sides of the one before
 */
export function readObserved(
  outputs: ReadonlyMap<string, Tensor>,
  { layers }: Observe,
  { latent, guided, words }: { readonly latent: Shape; readonly guided: boolean; readonly words: readonly Word[] },
): Observed {
  const attention = new Map<string, AttentionMap>();
  const features = new Map<string, FeatureMap>();
  for (const layer of layers) {
    const values = outputs.get(`observed/${layer}`);
    if (values === undefined) throw new Error(`Cannot observe ${layer}: the U-Net's graph gave no such output.`);
    if (/\.attn[12]$/.test(layer)) {
      const [prompt, unconditional] = halves(atPlaces(values, latent), guided);
      attention.set(layer, {
        layer,
        of: layer.endsWith(".attn2") ? "text" : "self",
        probabilities: prompt,
        unconditional,
      });
    } else {
      const [prompt, unconditional] = halves(values, guided);
      features.set(layer, { layer, values: prompt, unconditional });
    }
  }
  return { words, attention, features };
}

/** With guidance the unconditional half comes first. */
function halves(rows: Tensor, guided: boolean): [prompt: Tensor, unconditional: Tensor | undefined] {
  if (!guided) return [rows, undefined];
  const [count] = rows.shape;
  return [rows.slice(count / 2, count), rows.slice(0, count / 2)];
}

/** `[rows, heads, queries, keys]` → `[rows, heads, height, width, keys]`: queries are the level's places in rows. */
function atPlaces(maps: Tensor, [, , latentHeight, latentWidth]: Shape): Tensor {
  const [rows, heads, queries, keys] = maps.shape;
  let [height, width] = [latentHeight, latentWidth];
  while (height * width > queries) [height, width] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  if (height * width !== queries) {
    throw new Error(
      `Cannot place attention ${formatShape(maps.shape)} on a latent of ${latentHeight}×${latentWidth}: ` +
        `no level of the U-Net has ${queries} places.`,
    );
  }
  return maps.reshape([rows, heads, height, width, keys]);
}
