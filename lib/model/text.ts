/** Prompts become the embeddings that SDXL's U-Net reads, by both text encoders. */

import { buildClipText } from "../graph/clip.ts";
import type { Lowering } from "../graph/builder.ts";
import { type Shape, Tensor } from "../tensor/tensor.ts";
import { openTokenizers, poolingPosition, type Tokenizer, type Word } from "../text/tokenizer.ts";
import type { ClipTextArchitecture } from "../weights/architecture.ts";
import type { Checkpoint, Part } from "../weights/checkpoint.ts";
import { Conditioning, type Sizes, type TextEmbedding, zeroEmbedding } from "./conditioning.ts";
import type { Loras } from "./loras.ts";
import type { Integers } from "./sessions/session.ts";
import type { Stages } from "./stage.ts";

/** Embeddings kept, newest last. 77 × 2048 float32 are 630 KB: this many prompts are 80 MB. */
const KEPT = 128;

export interface TextOptions {
  readonly checkpoint: Checkpoint;
  readonly stages: Stages;
  readonly lowering: Lowering;
  readonly loras: Loras;
  /** Told, in a sentence, what of a prompt was cut off. */
  readonly warn: (message: string) => void;
}

export interface Prompts {
  readonly prompt: string;
  readonly negative?: string;
}

export interface ConditionOptions {
  readonly batch: number;
  readonly sizes: Sizes;
  readonly guided: boolean;
  /** Of the model's LoRAs, which may change the encoders too. */
  readonly strengths: readonly number[];
  readonly signal?: AbortSignal;
}

export class TextEncoders {
  readonly #options: TextOptions;
  readonly #known = new Map<string, TextEmbedding>();
  #elapsed = 0;
  #tokenizers: Promise<readonly Tokenizer[]> | undefined;

  constructor(options: TextOptions) {
    this.#options = options;
  }

  /** Milliseconds spent on texts so far, loading the encoders included. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** What stands for "no negative prompt" in models that force zeros. */
  get zeros(): TextEmbedding {
    const { textEncoder, textEncoder2 } = this.#options.checkpoint;
    const positions: Shape = [textEncoder.architecture.positions];
    const width = textEncoder.architecture.hiddenSize + textEncoder2.architecture.hiddenSize;
    return zeroEmbedding([...positions, width], [pooledWidth(textEncoder2.architecture)]);
  }

  /**
   * Encodes texts, or remembers them. Each encoder is loaded once for all that are new.
   *
   * @param strengths of the model's LoRAs, which may change the encoders too
   */
  async encode(
    texts: readonly string[],
    strengths: readonly number[],
    signal?: AbortSignal,
  ): Promise<readonly TextEmbedding[]> {
    const keyOf = (text: string) => `${this.#options.loras.textKey(strengths)}\n${text}`;
    const fresh = [...new Set(texts)].filter((text) => !this.#known.has(keyOf(text)));
    if (fresh.length > 0) {
      const started = performance.now();
      const embeddings = await this.#run(fresh, strengths, signal);
      this.#elapsed += performance.now() - started;
      fresh.forEach((text, i) => this.#known.set(keyOf(text), embeddings[i]));
    }
    const found = texts.map((text) => this.#recall(keyOf(text)));
    for (const old of [...this.#known.keys()].slice(0, Math.max(0, this.#known.size - KEPT))) this.#known.delete(old);
    return found;
  }

  /**
   * What the U-Net is told for a batch: the prompt's embedding and, where it is guided, what guidance pushes away from:
   * the negative prompt, or what stands for none.
   */
  async condition(
    { prompt, negative }: Prompts,
    { batch, sizes, guided, strengths, signal }: ConditionOptions,
  ): Promise<Conditioning> {
    if (!guided) {
      const [positive] = await this.encode([prompt], strengths, signal);
      return Conditioning.ofTexts(batch, sizes, positive);
    }
    const zeros = negative === undefined && this.#options.checkpoint.forceZerosForEmptyPrompt;
    const texts = zeros ? [prompt] : [prompt, negative ?? ""];
    const [positive, encoded]: readonly TextEmbedding[] = await this.encode(texts, strengths, signal);
    return Conditioning.ofTexts(batch, sizes, positive, zeros ? this.zeros : encoded);
  }

  /** The words of a text and where their tokens stand, as both encoders get them. */
  async words(text: string): Promise<readonly Word[]> {
    const [first] = await this.#opened();
    return first.words(text);
  }

  #opened(): Promise<readonly Tokenizer[]> {
    const { tokenizer, tokenizer2 } = this.#options.checkpoint;
    return this.#tokenizers ??= openTokenizers([tokenizer, tokenizer2]);
  }

  #recall(key: string): TextEmbedding {
    const embedding = this.#known.get(key);
    if (embedding === undefined) throw new Error(`Cannot find the embedding of "${key}".`);
    this.#known.delete(key);
    this.#known.set(key, embedding);
    return embedding;
  }

  async #run(
    texts: readonly string[],
    strengths: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<TextEmbedding[]> {
    const { textEncoder, textEncoder2 } = this.#options.checkpoint;
    const [first, second] = await this.#opened();
    const hidden = await this.#encodeBy("text_encoder", textEncoder, first, texts, strengths, signal);
    const projected = await this.#encodeBy("text_encoder_2", textEncoder2, second, texts, strengths, signal);
    return texts.map((_, i) => ({
      embeds: sideBySide(hidden.states.at(i), projected.states.at(i)),
      pooled: projected.pooled.at(i),
    }));
  }

  async #encodeBy(
    name: "text_encoder" | "text_encoder_2",
    { architecture, weights }: Part<ClipTextArchitecture>,
    tokenizer: Tokenizer,
    texts: readonly string[],
    strengths: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<{ states: Tensor; pooled: Tensor }> {
    const { stages, lowering, loras } = this.#options;
    const ids = this.#tokenize(tokenizer, architecture, texts);
    const pools = architecture.projectionDim !== undefined;
    const eos = Int32Array.from(ids, (row) => poolingPosition(row, architecture.eosTokenId));
    const feeds = {
      input_ids: stackIds(ids),
      ...(pools ? { eos_position: { data: eos, shape: [eos.length] } } : {}),
      ...loras.feeds(name, strengths),
    };
    const adapters = loras.adapters(name);
    const build = () => buildClipText(architecture, weights, { lowering, adapters });
    const outputs = await stages.use(name, build, (session, options) => session.run(feeds, options), { signal });
    const states = outputs.get("hidden_states");
    const pooled = outputs.get("text_embeds") ?? Tensor.zeros([texts.length, 0]);
    if (states === undefined) throw new Error(`Cannot use the ${name}: its graph gave no hidden_states.`);
    await stages.wantFinite(name, build, feeds, states, `the ${name}'s hidden states`);
    await stages.wantFinite(name, build, feeds, pooled, `the ${name}'s pooled embedding`);
    return { states, pooled };
  }

  #tokenize(tokenizer: Tokenizer, { positions, vocabularySize }: ClipTextArchitecture, texts: readonly string[]) {
    if (tokenizer.length !== positions) {
      throw new RangeError(
        `Cannot use this tokenizer: it makes ${tokenizer.length} tokens, the text encoder takes ${positions}.`,
      );
    }
    return texts.map((text) => {
      const { ids, truncated } = tokenizer.encode(text);
      const unknown = ids.find((id) => id >= vocabularySize);
      if (unknown !== undefined) {
        throw new RangeError(
          `Cannot use this tokenizer: it gives token ${unknown}, the text encoder knows 0 to ${vocabularySize - 1}.`,
        );
      }
      if (truncated !== "") {
        this.#options.warn(`The prompt is longer than ${positions} tokens; this was cut off: "${truncated}"`);
      }
      return ids;
    });
  }
}

function pooledWidth({ projectionDim, hiddenSize }: ClipTextArchitecture): number {
  return projectionDim ?? hiddenSize;
}

function stackIds(rows: readonly Int32Array[]): Integers {
  const width = rows[0]?.length ?? 0;
  const data = new Int32Array(rows.length * width);
  rows.forEach((row, i) => data.set(row, i * width));
  return { data, shape: [rows.length, width] };
}

/** `[77, a]` and `[77, b]` become `[77, a + b]`. */
function sideBySide(left: Tensor, right: Tensor): Tensor {
  const [length, a] = left.shape;
  const b = right.shape[1];
  const out = new Float32Array(length * (a + b));
  for (let i = 0; i < length; i++) {
    out.set(left.data.subarray(i * a, (i + 1) * a), i * (a + b));
    out.set(right.data.subarray(i * b, (i + 1) * b), i * (a + b) + a);
  }
  return new Tensor(out, [length, a + b]);
}
