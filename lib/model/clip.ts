/** A CLIP that describes pictures and texts by vectors of one space: Radford et al. 2021 (arXiv 2103.00020). */

import { buildClipText } from "../graph/clip.ts";
import { buildClipVision } from "../graph/clip_vision.ts";
import { onnxRuntimeCpu } from "./sessions/onnxruntime.ts";
import type { Runtime, Session } from "./sessions/session.ts";
import { formatShape, Tensor } from "../tensor/tensor.ts";
import { openTokenizers, poolingPosition, type Tokenizer } from "../text/tokenizer.ts";
import { type ClipCheckpoint, openClip } from "../weights/clip.ts";
import { preprocess } from "../measure/quality/preprocess.ts";

/** Pictures or texts that run at once: 16 of 224 pixels take some 100 MB in OpenAI's largest. */
const BATCH = 16;

export interface ClipOptions {
  /** Threads of the runtime. Default: its own choice, one a core. */
  readonly threads?: number;
}

export class Clip {
  readonly checkpoint: ClipCheckpoint;
  readonly #runtime: Runtime;
  #vision: Promise<Session> | undefined;
  #text: Promise<Session> | undefined;
  #tokenizer: Promise<Tokenizer> | undefined;

  private constructor(checkpoint: ClipCheckpoint, runtime: Runtime) {
    this.checkpoint = checkpoint;
    this.#runtime = runtime;
  }

  /**
   * Opens a CLIP in transformers' layout. Each tower is loaded at its first use.
   *
   * @param path a folder with config.json and model.safetensors, or the file
   * @throws an error whose message is one sentence: what is wrong, what was looked for
   */
  static async open(path: string, { threads }: ClipOptions = {}): Promise<Clip> {
    return new Clip(await openClip(path), onnxRuntimeCpu({ threads }));
  }

  /**
   * Pictures as vectors: transformers' `get_image_features`, not normalised.
   *
   * @param pictures `[n, 3, height, width]` in 0..1, of any size
   * @returns `[n, projectionDim]`
   */
  async images(pictures: Tensor): Promise<Tensor> {
    const { vision: { architecture, weights }, preprocessing } = this.checkpoint;
    const [count, channels] = pictures.shape;
    if (pictures.shape.length !== 4 || channels !== architecture.imageChannels) {
      throw new RangeError(
        `Cannot describe ${
          formatShape(pictures.shape)
        }: wanted are pictures [n, ${architecture.imageChannels}, height, width].`,
      );
    }
    const build = () => buildClipVision(architecture, weights, { lowering: this.#runtime.lowering });
    const session = await (this.#vision ??= this.#runtime.load(build()));
    return await inBatches(count, async (start, end) => {
      const outputs = await session.run({ pixel_values: preprocess(pictures.slice(start, end), preprocessing) });
      return output(outputs, "image_embeds");
    });
  }

  /**
   * Texts as vectors: transformers' `get_text_features`, not normalised. What is longer than the tower takes is cut off.
   *
   * @returns `[n, projectionDim]`
   */
  async texts(texts: readonly string[]): Promise<Tensor> {
    const { text: { architecture, weights }, tokenizer: folder } = this.checkpoint;
    this.#tokenizer ??= openTokenizers([folder]).then(([tokenizer]) => tokenizer);
    const tokenizer = await this.#tokenizer;
    if (tokenizer.length !== architecture.positions) {
      throw new RangeError(
        `Cannot use the tokenizer in ${folder.folder}: it makes ${tokenizer.length} tokens, the text tower takes ` +
          `${architecture.positions}.`,
      );
    }
    const build = () => buildClipText(architecture, weights, { lowering: this.#runtime.lowering });
    const session = await (this.#text ??= this.#runtime.load(build()));
    return await inBatches(texts.length, async (start, end) => {
      const rows = texts.slice(start, end).map((text) => tokenizer.encode(text).ids);
      const ids = new Int32Array(rows.length * tokenizer.length);
      rows.forEach((row, index) => ids.set(row, index * tokenizer.length));
      const positions = Int32Array.from(rows, (row) => poolingPosition(row, architecture.eosTokenId));
      const outputs = await session.run({
        input_ids: { data: ids, shape: [rows.length, tokenizer.length] },
        eos_position: { data: positions, shape: [rows.length] },
      });
      return output(outputs, "text_embeds");
    });
  }

  /** Gives all memory back. */
  async close(): Promise<void> {
    const loaded = [this.#vision, this.#text];
    this.#vision = this.#text = undefined;
    for (const session of loaded) await (await session)?.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function inBatches(count: number, run: (start: number, end: number) => Promise<Tensor>): Promise<Tensor> {
  const parts: Tensor[] = [];
  for (let start = 0; start < count; start += BATCH) parts.push(await run(start, Math.min(count, start + BATCH)));
  return Tensor.concat(parts);
}

function output(outputs: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const found = outputs.get(name);
  if (found === undefined) throw new Error(`Cannot describe by CLIP: its graph gave no ${name}.`);
  return found;
}
