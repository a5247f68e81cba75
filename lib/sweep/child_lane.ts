/** Runs tasks in a process of its own: what breaks there, breaks no more than that. */

import * as v from "valibot";
import { Crash, GroupError, type Lane } from "./lane.ts";
import { type Answer, answerSchema, linesOf, MARK, type Order } from "./messages.ts";
import type { Pace } from "./pace.ts";
import type { Receipt } from "./files.ts";
import type { Group, Task } from "./task.ts";

export interface ChildLaneOptions {
  readonly name: string;
  /** Where files go: a folder or bucket, as `openPlace` takes it. */
  readonly place: string;
  /** Threads of the runtime, for models that name none. Default: the runtime's own choice. */
  readonly threads?: number;
  /** Bytes that the process may have resident; beyond, it is ended and its cell has failed. Linux only. */
  readonly memoryLimit?: number;
  /** "keys": tasks are run only where this machine's files give them their keys. "nothing" (default): they are planned here. */
  readonly check?: "keys" | "nothing";
  /** What the process runs. Default `child.ts`. */
  readonly module?: URL;
  /** Told what the process prints and warns. Default: nobody. */
  readonly log?: (message: string) => void;
}

/** Milliseconds between two looks at the process's memory. */
const LOOK_MS = 250;

/** Milliseconds that a process has to end by itself. */
const END_MS = 2000;

interface Running {
  readonly process: Deno.ChildProcess;
  readonly orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly answers: AsyncGenerator<Answer, void, void>;
  readonly watch: ReturnType<typeof setInterval>;
  ended?: string;
  memory?: number;
  said?: string;
}

export class ChildLane implements Lane {
  readonly name: string;
  readonly #options: ChildLaneOptions;
  #running: Running | undefined;

  constructor(options: ChildLaneOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get memory(): number | undefined {
    return this.#running?.memory;
  }

  /** The process that runs, if one does. */
  get pid(): number | undefined {
    return this.#running?.process.pid;
  }

  async run(group: Group, task: Task): Promise<Receipt> {
    const answer = await this.#ask({ do: "run", group: this.#withThreads(group), task });
    if (answer.is === "finished") return answer.receipt;
    throw new Crash(`Cannot run a cell in ${this.name}: it answered "${answer.is}".`);
  }

  /** Measures how fast the process denoises a task. */
  async pace(group: Group, task: Task, seconds: number): Promise<Pace> {
    const answer = await this.#ask({ do: "pace", group: this.#withThreads(group), task, seconds });
    if (answer.is === "paced") return answer;
    throw new Crash(`Cannot measure the pace of ${this.name}: it answered "${answer.is}".`);
  }

  /** Ends the process at once. What it had finished stays. */
  kill(): void {
    if (this.#running !== undefined) end(this.#running, "it was stopped");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    await running.orders.close().catch(() => {}); // its stdin ends, and so does it
    const late = setTimeout(() => end(running, "it did not end"), END_MS);
    for await (const _ of running.answers); // so that what it printed is passed on
    await running.process.status;
    clearTimeout(late);
    clearInterval(running.watch);
  }

  #withThreads(group: Group): Group {
    const { threads } = this.#options;
    return { ...group, model: { threads, ...group.model } };
  }

  async #ask(order: Order): Promise<Answer> {
    if (this.#running === undefined) {
      this.#running = this.#start();
      const { place, check = "nothing" } = this.#options;
      await this.#exchange(this.#running, { do: "begin", place, check });
    }
    return await this.#exchange(this.#running, order);
  }

  async #exchange(running: Running, order: Order): Promise<Answer> {
    try {
      await running.orders.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
    } catch {
      // The process ended: its answers end, too, and say so below.
    }
    for (;;) {
      const { value, done } = await running.answers.next();
      if (done) throw await this.#crash(running);
      if (value.is === "warning") this.#options.log?.(value.message);
      else if (value.is !== "refused") return value;
      else throw value.of === "group" ? new GroupError(value.message) : new Error(value.message);
    }
  }

  async #crash(running: Running): Promise<Crash> {
    this.#running = undefined;
    clearInterval(running.watch);
    const { code, signal } = await running.process.status;
    const how = running.ended ?? (signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`);
    return new Crash(`The process of ${this.name} is gone: ${how}.${running.said ? ` It said: ${running.said}` : ""}`);
  }

  #start(): Running {
    const { module = new URL("child.ts", import.meta.url) } = this.#options;
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", "--no-check", module.href],
      // glibc keeps what a session frees unless it is told, before the process starts, to map large blocks
      env: { MALLOC_MMAP_THRESHOLD_: "65536" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const running: Running = {
      process,
      orders: process.stdin.getWriter(),
      answers: this.#answers(process.stdout),
      watch: setInterval(() => this.#look(running), LOOK_MS),
    };
    running.orders.closed.catch(() => {}); // the end of the process is noticed where it is asked
    this.#listen(running);
    return running;
  }

  async *#answers(stream: ReadableStream<Uint8Array>): AsyncGenerator<Answer, void, void> {
    for await (const line of linesOf(stream)) {
      if (line.startsWith(MARK)) yield v.parse(answerSchema, JSON.parse(line.slice(MARK.length)));
      else this.#options.log?.(line);
    }
  }

  async #listen(running: Running): Promise<void> {
    for await (const line of linesOf(running.process.stderr)) {
      if (line.trim() !== "") running.said = line.trim();
      this.#options.log?.(line);
    }
  }

  #look(running: Running): void {
    const { memoryLimit } = this.#options;
    if (Deno.build.os !== "linux") return;
    try {
      const status = Deno.readTextFileSync(`/proc/${running.process.pid}/status`);
      running.memory = 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
    } catch {
      return; // it has just ended
    }
    if (memoryLimit === undefined || running.memory <= memoryLimit) return;
    const [used, allowed] = [running.memory, memoryLimit].map((bytes) => `${(bytes / 1e9).toFixed(2)} GB`);
    end(running, `it used ${used}, and ${allowed} are allowed`);
  }
}

function end(running: Running, why: string): void {
  if (running.ended !== undefined) return;
  running.ended = why;
  try {
    running.process.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error; // it ended by itself
  }
}
