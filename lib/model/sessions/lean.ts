/**
 * A network in little memory: its weights stay in their files, mapped, and while it runs the pages that it has read go
 * back to the system, so that of however many gigabytes a few hundred megabytes are resident.
 */

import { externalsOf, type Network } from "../../graph/proto.ts";
import { MappedFile } from "./pages.ts";
import { OrtSession, type OrtSessionOptions } from "./onnxruntime_session.ts";
import type { Numbers, Result } from "./onnxruntime_values.ts";

/** Milliseconds between two times of giving pages back: SDXL's U-Net on two cores reads about half a gigabyte in it. */
const PERIOD = 500;

export class LeanSession {
  readonly #session: OrtSession;
  readonly #files: readonly MappedFile[];

  private constructor(session: OrtSession, files: readonly MappedFile[]) {
    this.#session = session;
    this.#files = files;
  }

  /** As `OrtSession.load`. Files that cannot be mapped are left to the runtime. */
  static async load(network: Network, options: OrtSessionOptions, signal?: AbortSignal): Promise<LeanSession> {
    const files = new Map<string, MappedFile>();
    try {
      const initializers = externalsOf(network).flatMap(({ file, offset, ...tensor }) => {
        const mapped = files.get(file) ?? MappedFile.open(file);
        if (mapped === undefined) return [];
        files.set(file, mapped);
        return [{ ...tensor, address: mapped.address + BigInt(offset) }];
      });
      const session = await OrtSession.load(network, { ...options, initializers }, signal);
      return new LeanSession(session, [...files.values()]);
    } catch (error) {
      for (const file of files.values()) file.close();
      throw error;
    }
  }

  async run(
    feeds: Readonly<Record<string, Numbers>>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ReadonlyMap<string, Result>> {
    const drop = () => {
      for (const file of this.#files) file.drop();
    };
    const timer = setInterval(drop, PERIOD);
    try {
      return await this.#session.run(feeds, options);
    } finally {
      clearInterval(timer);
      drop();
    }
  }

  endTrace(): Promise<string> {
    return this.#session.endTrace();
  }

  async release(): Promise<void> {
    await this.#session.release();
    for (const file of this.#files) file.close();
  }
}
