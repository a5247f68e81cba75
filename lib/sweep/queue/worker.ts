/**
 * The side of a queue that runs cells. A worker stays with a model as long as cells of it wait, unless others have a
 * higher priority; then it goes to the model with the most. Its cells run in processes of their own, so that Redis hears
 * of it whatever a cell does.
 */

import { DelayedError, type Job, Queue, Worker } from "bullmq";
import { hostname } from "node:os";
import type { Redis } from "ioredis";
import * as v from "valibot";
import { ChildLane } from "../child_lane.ts";
import { GroupError } from "../lane.ts";
import { TRIES } from "../lanes.ts";
import type { Task } from "../task.ts";
import { groupEntrySchema, type Report, tasksOf } from "./bundle.ts";
import { connect, DEFAULT_NAME, KEPT_SECONDS, keysOf, PRIORITIES, TAKE_OVER_SECONDS } from "./connection.ts";

export interface QueueWorkerOptions {
  /** As `QueueOptions` of a sweep. */
  readonly redis: string;
  readonly name?: string;
  readonly takeOverSeconds?: number;
  /** Where files go: the same folder or bucket that the sweep names. */
  readonly files: string;
  /** Processes that run cells at once. Default 1. */
  readonly processes?: number;
  /** Of the runtime, in each process. Default: its own choice. */
  readonly threads?: number;
  /** Bytes that one process may have resident. Linux only. */
  readonly memoryLimit?: number;
  /** Cells a minute at the most. Default: as fast as they go. */
  readonly rate?: number;
  /** "wait" (default): for the next cells. "exit": when nothing has waited for `idleSeconds`. */
  readonly whenIdle?: "wait" | "exit";
  /** Default 30. */
  readonly idleSeconds?: number;
  /** Lets the cells that run end, gives the others back, and ends. */
  readonly signal?: AbortSignal;
  /** Told what happens, a sentence each. */
  readonly log?: (message: string) => void;
  /** What the processes run, in place of `child.ts`: for tests. Keys are not checked then. */
  readonly module?: URL;
}

/** Milliseconds: between two looks at what waits, and between heartbeats. */
const CHOOSE_MS = 500;
const BEAT_MS = 1000;
/** Milliseconds that a model is left to others which could not be opened here. */
const REFUSED_MS = 30_000;

/** Runs cells of a queue until it is told to end. */
export async function runQueueWorker(options: QueueWorkerOptions): Promise<void> {
  const { log = () => {}, processes = 1, whenIdle = "wait", idleSeconds = 30, signal } = options;
  const redis = await connect(options.redis, options);
  const worker = new QueueWorker(redis, options);
  try {
    log(`Ready with ${processes} ${processes === 1 ? "process" : "processes"}.`);
    let busy = Date.now();
    while (!signal?.aborted) {
      if (await worker.choose()) busy = Date.now();
      else if (whenIdle === "exit" && Date.now() - busy > 1000 * idleSeconds) break;
      await pause(CHOOSE_MS, signal);
    }
    log(signal?.aborted ? "Ending: the cells that run are finished first." : "Nothing waits: ending.");
  } finally {
    await worker[Symbol.asyncDispose]();
    redis.disconnect();
  }
}

class QueueWorker implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #options: QueueWorkerOptions;
  readonly #keys: ReturnType<typeof keysOf>;
  readonly #id = `${hostname()}-${Deno.pid}-${crypto.randomUUID().slice(0, 4)}`;
  readonly #free: ChildLane[];
  readonly #lanes: readonly ChildLane[];
  readonly #queues = new Map<string, Queue>();
  readonly #refused = new Map<string, number>();
  readonly #timer: ReturnType<typeof setInterval>;
  #current: { readonly groupId: string; readonly model: string; readonly worker: Worker } | undefined;
  #running = 0;
  #beat = 0;
  #ending = false;
  #next = 0;

  constructor(redis: Redis, options: QueueWorkerOptions) {
    this.#redis = redis;
    this.#options = options;
    this.#keys = keysOf(options.name ?? DEFAULT_NAME);
    const { processes = 1, threads, memoryLimit, module, log, files: place } = options;
    const check = module === undefined ? "keys" : "nothing";
    this.#lanes = Array.from(
      { length: processes },
      (_, index) =>
        new ChildLane({ name: `${this.#id} ${index + 1}`, place, threads, memoryLimit, check, module, log }),
    );
    this.#free = [...this.#lanes];
    this.#timer = setInterval(() => this.#tell(), BEAT_MS);
    options.signal?.addEventListener("abort", () => (this.#ending = true));
  }

  /** Goes to the group that needs it most. @returns whether any cell waits or runs */
  async choose(): Promise<boolean> {
    const groups = Object.entries(await this.#redis.hgetall(this.#keys.groups));
    const found: { groupId: string; model: string; rank: number; waiting: number; under: number }[] = [];
    for (const [groupId, json] of groups) {
      const parsed = v.safeParse(groupEntrySchema, JSON.parse(json));
      if (!parsed.success || (this.#refused.get(groupId) ?? 0) > Date.now()) continue;
      const counts = await this.#queue(groupId).getJobCounts("waiting", "prioritized", "active", "delayed");
      const { model, priority } = parsed.output;
      const waiting = counts.waiting + counts.prioritized;
      found.push({
        groupId,
        model,
        rank: PRIORITIES.indexOf(priority),
        waiting,
        under: counts.active + counts.delayed, // to be taken over, should their worker be silent
      });
    }
    const mine = ({ groupId }: { groupId: string }) => groupId === this.#current?.groupId;
    const best =
      found.filter(({ waiting, under }) => waiting + under > 0).toSorted((a, b) =>
        Number(b.waiting > 0) - Number(a.waiting > 0) || a.rank - b.rank || Number(mine(b)) - Number(mine(a)) ||
        b.waiting - a.waiting
      )[0];
    if (best !== undefined && !mine(best)) await this.#go(best);
    return best !== undefined || this.#running > 0;
  }

  /** Finishes what runs, gives back what waits, ends the processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await this.#current?.worker.close();
    await Promise.all(this.#lanes.map((lane) => lane[Symbol.asyncDispose]()));
    clearInterval(this.#timer);
    for (const queue of this.#queues.values()) await queue.close();
    if (this.#redis.status === "ready") await this.#redis.hdel(this.#keys.workers, this.#id);
  }

  async #go({ groupId, model }: { readonly groupId: string; readonly model: string }): Promise<void> {
    const { takeOverSeconds = TAKE_OVER_SECONDS, processes = 1, log } = this.#options;
    await this.#current?.worker.close(); // lets what runs end
    log?.(`Takes cells of ${model}.`);
    const worker = new Worker(this.#keys.queue(groupId), (job, token) => this.#process(groupId, job, token), {
      connection: this.#redis,
      concurrency: processes,
      lockDuration: 1000 * takeOverSeconds,
      stalledInterval: 1000 * takeOverSeconds,
      maxStalledCount: Number.MAX_SAFE_INTEGER, // cells have tries of their own
      drainDelay: 1,
    });
    worker.on("error", () => {}); // the connection tells it; a job that was taken over is not this worker's any more
    this.#current = { groupId, model, worker };
  }

  /** Runs the cells of a job that are not done yet. */
  async #process(groupId: string, job: Job, token: string | undefined): Promise<void> {
    const lane = this.#free.pop();
    if (lane === undefined) throw new Error("Cannot run a job: no process is free.");
    this.#running++;
    const { sweep, group, tasks } = tasksOf(job.data);
    const state = this.#keys.job(job.id ?? "");
    const reports = this.#keys.reports(sweep);
    const known = await this.#redis.hgetall(state);
    let told = 0;
    let pending: Report[] = [];
    const aged = { state: false, reports: false }; // told how long they are kept, once a job
    /** What was done, and what begins, in one message each. */
    const tell = async (begins?: { readonly task: Task; readonly tries: number }) => {
      if (pending.length === 0 && begins === undefined) return;
      const message = this.#redis.multi();
      for (const report of pending) {
        message.rpush(reports, JSON.stringify(report)).hset(state, report.key, report.is);
      }
      if (begins) message.hset(state, begins.task.key, String(begins.tries));
      if (!aged.reports && pending.length > 0) message.expire(reports, KEPT_SECONDS);
      if (!aged.state) message.expire(state, KEPT_SECONDS);
      aged.reports ||= pending.length > 0;
      aged.state = true;
      pending = [];
      await message.exec();
    };
    const aside = (task: Task, error: string, tries: number) =>
      pending.push({ is: "aside", key: task.key, by: lane.name, error, tries });
    let failed: Error | undefined;
    try {
      for (const task of tasks) {
        if (known[task.key] === "finished" || known[task.key] === "aside") continue;
        if (this.#ending) {
          await tell();
          await job.moveToDelayed(Date.now(), token); // another worker's
          throw new DelayedError();
        }
        await this.#pace();
        const tries = Number(known[task.key] ?? 0) + 1;
        if (tries > TRIES) {
          aside(task, `Its worker died or went silent while it ran, ${TRIES} times.`, TRIES);
          continue;
        }
        await tell({ task, tries });
        try {
          const receipt = await lane.run(group, task);
          pending.push({ is: "finished", key: task.key, by: lane.name, receipt });
        } catch (error) {
          const reason = error instanceof Error ? error : new Error(String(error));
          if (reason instanceof GroupError) {
            await this.#redis.hset(state, task.key, String(tries - 1)); // it is not the cell's fault
            throw reason;
          }
          if (tries >= TRIES) aside(task, reason.message, tries);
          else failed = reason;
        }
        if (Date.now() - told > BEAT_MS) {
          told = Date.now();
          await job.updateProgress({ cells: tasks.indexOf(task) + 1, of: tasks.length });
        }
      }
    } catch (error) {
      if (!(error instanceof GroupError)) throw error;
      if (await this.#othersMay(groupId, job, error)) throw error;
      const after = await this.#redis.hgetall(state);
      for (const task of tasks) {
        const done = after[task.key] === "finished" || after[task.key] === "aside" ||
          pending.some(({ key }) => key === task.key);
        if (!done) aside(task, error.message, Number(after[task.key] ?? 0));
      }
    } finally {
      this.#running--;
      this.#free.push(lane);
      await tell();
    }
    if (failed !== undefined) throw failed; // bullmq waits, and hands the job out again
    await this.#redis.del(state);
  }

  /** Whether another worker, or this one later, may be able to open the model of a job. */
  async #othersMay(groupId: string, job: Job, error: GroupError): Promise<boolean> {
    this.#options.log?.(error.message);
    const refused = this.#keys.refused(groupId);
    await this.#redis.multi().sadd(refused, this.#id).expire(refused, 2 * REFUSED_MS / 1000).exec();
    const alone = await this.#redis.scard(refused) >= await this.#redis.hlen(this.#keys.workers);
    if (alone) return job.attemptsMade + 1 < TRIES;
    this.#refused.set(groupId, Date.now() + REFUSED_MS);
    if (this.#current?.groupId === groupId) {
      this.#current.worker.close(); // is done when this job is
      this.#current = undefined;
    }
    return job.attemptsMade + 1 < (job.opts.attempts ?? 1);
  }

  /** Waits until the rate allows another cell. */
  async #pace(): Promise<void> {
    const { rate, signal } = this.#options;
    if (rate === undefined) return;
    const at = Math.max(Date.now(), this.#next);
    this.#next = at + 60_000 / rate;
    await pause(at - Date.now(), signal);
  }

  #queue(groupId: string): Queue {
    const known = this.#queues.get(groupId);
    if (known) return known;
    const queue = new Queue(this.#keys.queue(groupId), {
      connection: this.#redis,
      streams: { events: { maxLen: 100 } },
    });
    queue.on("error", () => {});
    this.#queues.set(groupId, queue);
    return queue;
  }

  #tell(): void {
    if (this.#redis.status !== "ready") return;
    const memory = this.#lanes.reduce((sum, { memory = 0 }) => sum + memory, 0);
    const is = this.#running > 0 ? "working" : "idle";
    const state = { beat: this.#beat++, is, model: this.#current?.model, memory: memory || undefined };
    this.#redis.hset(this.#keys.workers, this.#id, JSON.stringify(state)).catch(() => {}); // the next beat says it again
    this.#redis.expire(this.#keys.workers, 3600).catch(() => {});
  }
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (milliseconds <= 0 || signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
