/** The LoRAs of an opened model: paths beside the weights whose strengths are inputs, so they change from step to step. */

import type { Adapter } from "../graph/builder.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Lora, LoraPart } from "../weights/lora.ts";

/** A LoRA of an opened model. */
export interface LoadedLora {
  /** Its modules, matched to the model's layers. */
  readonly lora: Lora;
  /** Where a request does not say otherwise. */
  readonly strength: number;
}

/** As a path beside the weights, or in them. */
export type LoraMode = "branch" | "fuse";

export class Loras {
  readonly loaded: readonly LoadedLora[];
  readonly #mode: LoraMode;

  constructor(loaded: readonly LoadedLora[], mode: LoraMode) {
    this.loaded = loaded;
    this.#mode = mode;
  }

  /** Those that stand beside the weights. */
  get branches(): readonly LoadedLora[] {
    return this.#mode === "branch" ? this.loaded : [];
  }

  /** The strengths of a request, one a LoRA. @throws RangeError when there are more or fewer than LoRAs */
  strengths(given: readonly number[] | undefined): readonly number[] {
    if (given === undefined) return this.loaded.map(({ strength }) => strength);
    if (this.#mode === "fuse") {
      throw new RangeError(
        `Cannot change the LoRAs' strength: they were fused. Open the model with loraMode "branch".`,
      );
    }
    if (given.length === this.loaded.length && given.every(Number.isFinite)) return given;
    throw new RangeError(
      `Cannot use LoRA strengths [${given}]: the model has ${this.loaded.length} LoRAs; wanted is one number for each.`,
    );
  }

  /** What a part's graph is built with. */
  adapters(part: LoraPart): readonly Adapter[] {
    return this.#of(part).map(({ index, lora }) => ({ strength: nameOf(index), modules: lora.modules[part] }));
  }

  /** The inputs that those adapters read. */
  feeds(part: LoraPart, strengths: readonly number[]): Readonly<Record<string, Tensor>> {
    return Object.fromEntries(this.#of(part).map(({ index }) => [nameOf(index), Tensor.of([strengths[index]], [])]));
  }

  /** Strengths that change a text's embedding: a part of its name in the memory of embeddings. */
  textKey(strengths: readonly number[]): string {
    const used = [...this.#of("text_encoder"), ...this.#of("text_encoder_2")];
    return used.map(({ index }) => strengths[index]).join(" ");
  }

  #of(part: LoraPart): readonly { readonly index: number; readonly lora: Lora }[] {
    return this.branches.flatMap(({ lora }, index) => lora.modules[part].size > 0 ? [{ index, lora }] : []);
  }
}

function nameOf(index: number): string {
  return `lora_${index}`;
}
