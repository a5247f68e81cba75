/** Where tasks are run one after the other: in this process, or in a process of their own (`child.ts`). */

import type { Files, Receipt } from "./files.ts";
import { keep } from "./files.ts";
import { type MakeOptions, type Maker, type MakerHooks, type OpenMaker, openMaker } from "./maker.ts";
import { type Group, groupNameOf, type Task } from "./task.ts";

export interface Lane extends AsyncDisposable {
  /** As it is called where sweeps are watched. */
  readonly name: string;
  /** Bytes that its process has resident, as far as is known. */
  readonly memory?: number;
  /**
   * Runs a task and stores its files. The group's model stays open for the next task.
   *
   * @throws GroupError when the model cannot be opened, Crash when the process ended; else what the cell threw
   */
  run(group: Group, task: Task, options?: MakeOptions): Promise<Receipt>;
}

/** A model could not be opened, or is not the one that was planned: none of its cells can run here. */
export class GroupError extends Error {}

/** The process that ran a task ended. */
export class Crash extends Error {}

export interface LocalLaneOptions extends MakerHooks {
  readonly files: Files;
  readonly open?: OpenMaker;
}

/** Runs tasks in this process. */
export class LocalLane implements Lane {
  readonly name = "here";
  readonly #options: LocalLaneOptions;
  #opened: { readonly name: string; readonly maker: Maker } | undefined;

  constructor(options: LocalLaneOptions) {
    this.#options = options;
  }

  async run(group: Group, task: Task, options?: MakeOptions): Promise<Receipt> {
    const maker = await this.#maker(group);
    return await keep(this.#options.files, await maker.make(task, options));
  }

  async #maker(group: Group): Promise<Maker> {
    const name = `${groupNameOf(group.model)} ${JSON.stringify(group.measure)}`;
    if (this.#opened?.name === name) return this.#opened.maker;
    await this[Symbol.asyncDispose](); // one model at a time
    const { open = openMaker, warn, check } = this.#options;
    try {
      const maker = await open(group, { warn, check });
      this.#opened = { name, maker };
      return maker;
    } catch (error) {
      throw new GroupError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.maker[Symbol.asyncDispose]();
  }
}
