/** Between pictures and latents, by the VAE. */

import type { BuildOptions } from "../graph/builder.ts";
import { buildTinyDecoder, buildTinyEncoder } from "../graph/tiny_vae.ts";
import { buildVaeDecoder, buildVaeEncoder } from "../graph/vae.ts";
import { buildVaeMiddle, buildVaeTile, tileNorms, tileReach } from "../graph/vae_tiles.ts";
import { formatShape, type Shape, Tensor } from "../tensor/tensor.ts";
import { type AutoencoderArchitecture, isTiny, pixelsPerLatent } from "../weights/architecture.ts";
import type { Part } from "../weights/checkpoint.ts";
import { wantFinite } from "./finite.ts";
import type { DecodeOptions } from "./model_options.ts";
import type { Session, SessionRunOptions } from "./sessions/session.ts";
import type { Encodes } from "./start.ts";
import type { Stages } from "./stage.ts";
import { decodeTiles, type RunTile, type Statistics } from "./tiles.ts";

/** The distribution's log variance is kept between these, as in diffusers: outside, float32 loses the deviation. */
const LOG_VARIANCE = { least: -30, most: 20 };

export class Autoencoder {
  readonly #name: string;
  readonly #vae: Part<AutoencoderArchitecture>;
  readonly #stages: Stages;
  readonly #options: BuildOptions;

  /** @param name of its sessions, among a model's others */
  constructor(name: string, vae: Part<AutoencoderArchitecture>, stages: Stages, options: BuildOptions) {
    this.#name = name;
    this.#vae = vae;
    this.#stages = stages;
    this.#options = options;
  }

  /** Pixels a latent's cell stands for: 8 in SDXL. */
  get pixelsPerLatent(): number {
    return pixelsPerLatent(this.#vae.architecture);
  }

  get encodes(): Encodes {
    return isTiny(this.#vae.architecture) ? "a latent" : "a distribution";
  }

  /**
   * @param latent `[batch, 4, height/8, width/8]`, in the scale that samplers work in
   * @param options `tile`: pixels of a tile's side, to decode in little memory; default: whole
   * @returns `[batch, 3, height, width]` in 0..1
   */
  async decode(latent: Tensor, { tile, signal }: Pick<DecodeOptions, "tile" | "signal"> = {}): Promise<Tensor> {
    const channels = this.#vae.architecture.latentChannels;
    if (latent.shape.length !== 4 || latent.shape[1] !== channels) {
      throw new RangeError(
        `Cannot decode ${formatShape(latent.shape)}: wanted latents [batch, ${channels}, height/8, width/8].`,
      );
    }
    wantFinite(latent, "the latent");
    const sample = tile === undefined ? await this.#whole(latent, signal) : await this.#inTiles(latent, tile, signal);
    return sample.map((value) => Math.min(1, Math.max(0, value / 2 + 0.5)));
  }

  /** @returns about −1..1 */
  async #whole(latent: Tensor, signal: AbortSignal | undefined): Promise<Tensor> {
    const { architecture, weights } = this.#vae;
    const build = () =>
      isTiny(architecture)
        ? buildTinyDecoder(architecture, weights, this.#options)
        : buildVaeDecoder(architecture, weights, this.#options);
    const feeds = { latent_sample: latent };
    const outputs = await this.#stages.use(this.#name, build, (session, options) => session.run(feeds, options), {
      signal,
    });
    const sample = wantOutput(outputs, "sample");
    await this.#stages.wantFinite(this.#name, build, feeds, sample, "the VAE's output");
    return sample;
  }

  /** The same, a tile at a time. The batch is taken apart: statistics are a picture's own. */
  async #inTiles(latent: Tensor, tile: number, signal: AbortSignal | undefined): Promise<Tensor> {
    const { architecture, weights } = this.#vae;
    const unit = this.pixelsPerLatent;
    if (isTiny(architecture)) {
      throw new RangeError("Cannot decode a preview in tiles: a tiny autoencoder needs little memory as it is.");
    }
    if (!Number.isInteger(tile) || tile < unit || tile % unit !== 0) {
      throw new RangeError(`Cannot decode in tiles of ${tile} pixels: a multiple of ${unit} was wanted.`);
    }
    const buildMiddle = () => buildVaeMiddle(architecture, weights, this.#options);
    const buildTile = () => buildVaeTile(architecture, weights, this.#options);
    const nothing = Tensor.zeros([tileNorms(architecture), architecture.groups]);
    const unused: Statistics = { mean: nothing, variance: nothing };
    const options = { core: tile / unit, reach: tileReach(architecture), unit };
    const rows: Tensor[] = [];
    for (let picture = 0; picture < latent.shape[0]; picture++) {
      const row = latent.slice(picture, picture + 1);
      const run = (session: Session, options: SessionRunOptions) => session.run({ latent_sample: row }, options);
      const whole = await this.#stages.use(this.#name, buildMiddle, run, { variant: "middle", signal });
      const middle = wantOutput(whole, "middle");
      await this.#stages.wantFinite(this.#name, buildMiddle, { latent_sample: row }, middle, "the VAE's output");
      const runTile: RunTile = async (window, core, statistics) => {
        const feeds = {
          middle: window,
          core,
          ...statistics ?? unused,
          given: new Tensor(Float32Array.of(statistics ? 1 : 0), []),
        };
        const run = (session: Session, options: SessionRunOptions) => session.run(feeds, options);
        const outputs = await this.#stages.use(this.#name, buildTile, run, { variant: "tile", signal });
        const [sample, used, off, squares] = ["sample", "used", "off", "squares"].map((name) =>
          wantOutput(outputs, name)
        );
        await this.#stages.wantFinite(this.#name, buildTile, feeds, sample, "the VAE's output");
        return { sample, used, off, squares };
      };
      rows.push(await decodeTiles(middle, options, runTile));
    }
    return Tensor.concat(rows);
  }

  /**
   * @param picture `[batch, 3, height, width]` in 0..1
   * @param noise unit normal, `[batch, 4, height/8, width/8]`, to sample the encoder's distribution with. Default: its
   *   mean. A tiny autoencoder has none, and takes no notice.
   * @returns `[batch, 4, height/8, width/8]`, in the scale that samplers work in
   */
  async encode(picture: Tensor, noise?: Tensor, signal?: AbortSignal): Promise<Tensor> {
    const { architecture, weights } = this.#vae;
    const { imageChannels, scalingFactor } = architecture;
    const unit = this.pixelsPerLatent;
    const [, channels, height, width] = picture.shape;
    if (picture.shape.length !== 4 || channels !== imageChannels || height % unit !== 0 || width % unit !== 0) {
      throw new RangeError(
        `Cannot encode ${formatShape(picture.shape)}: wanted is a picture [batch, ${imageChannels}, height, width] ` +
          `with sides that are multiples of ${unit}.`,
      );
    }
    wantFinite(picture, "the picture");
    const sample = picture.map((value) => 2 * value - 1);
    const build = () =>
      isTiny(architecture)
        ? buildTinyEncoder(architecture, weights, this.#options)
        : buildVaeEncoder(architecture, weights, this.#options);
    const name = `${this.#name}_encoder`;
    const run = (session: Session, options: SessionRunOptions) => session.run({ sample }, options);
    const outputs = await this.#stages.use(name, build, run, { signal });
    const latent = outputs.get("latent_sample");
    const made = latent ?? outputs.get("latent_parameters");
    if (made === undefined) throw new Error("Cannot encode: the VAE's graph gave no latent_parameters.");
    await this.#stages.wantFinite(name, build, { sample }, made, "the VAE encoder's output");
    return (latent ?? sampleLatent(made, noise)).times(scalingFactor);
  }
}

function wantOutput(outputs: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const output = outputs.get(name);
  if (output === undefined) throw new Error(`Cannot decode: the VAE's graph gave no ${name}.`);
  return output;
}

/** mean + deviation·noise of the encoder's distribution (Kingma and Welling 2013, arXiv 1312.6114, section 2.4). */
function sampleLatent(parameters: Tensor, noise: Tensor | undefined): Tensor {
  const [batch, both, ...inner]: Shape = parameters.shape;
  const channels = both / 2;
  const rows = Array.from({ length: batch }, (_, i) => {
    const row = parameters.at(i);
    const [mean, logVariance] = [row.slice(0, channels), row.slice(channels, both)];
    if (noise === undefined) return mean;
    const { least, most } = LOG_VARIANCE;
    const deviation = logVariance.map((value) => Math.exp(0.5 * Math.min(most, Math.max(least, value))));
    return mean.plus(deviation.zip(noise.at(i), "sample", (deviation, noise) => deviation * noise));
  });
  return Tensor.stack(rows).reshape([batch, channels, ...inner]);
}
