/**
 * The side of a queue that plans and collects. Cells go out in bundles of one model; reports come back in a list, which
 * is shortened only once they are stored. So a coordinator that is killed goes on where it was, and a Redis that lost
 * everything costs the work that was under way: what is missing while nothing waits is sent out again.
 */

import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import * as v from "valibot";
import type { Outcome } from "../lanes.ts";
import type { Monitor } from "../monitor.ts";
import type { Plan, PlannedCell } from "../plan.ts";
import type { Store } from "../store.ts";
import { type Addressed, bundlesOf, heartbeatSchema, reportSchema, sweepIdOf } from "./bundle.ts";
import {
  connect,
  DEFAULT_NAME,
  KEPT_SECONDS,
  keysOf,
  PRIORITIES,
  type Priority,
  type QueueOptions,
  TAKE_OVER_SECONDS,
} from "./connection.ts";
import { holdAlone } from "./hold.ts";

export type { QueueOptions };

export interface QueueContext extends QueueOptions {
  readonly store: Store;
  readonly monitor: Monitor;
  readonly signal?: AbortSignal;
  readonly log: (message: string) => void;
}

/** Reports that are taken at once, and bundles that are sent at once. */
const REPORTS = 500;
const BUNDLES = 64;

/** Times that a job is tried as a whole, as when a worker cannot open its model. Single cells have tries of their own. */
const ATTEMPTS = 50;

/**
 * Milliseconds between two looks for reports: the least where there were some, so that many are stored at once, and up to
 * the most the longer there are none.
 */
const LOOK_MS = { least: 50, most: 400 };

/** Milliseconds: between looks at workers; without any report before the queue is looked into. */
const BEAT_MS = 2000;
const QUIET_MS = 3000;

/** bullmq's numbers: the lowest goes first, none (0) before all. */
const NUMBERS: Readonly<Record<Priority, number>> = { high: 0, normal: 10, low: 20 };

/**
 * Sends the missing cells out, and tells how each ended as workers report it. A batch counts as stored when the next is
 * asked for.
 *
 * @throws an error whose message is one sentence: Redis cannot be reached, or another coordinator runs the same sweep
 */
export async function* runQueue(
  plan: Plan,
  missing: readonly PlannedCell[],
  context: QueueContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  const { redis: url, name = DEFAULT_NAME, takeOverSeconds = TAKE_OVER_SECONDS, signal, log, monitor } = context;
  const redis = await connect(url, { takeOverSeconds, log });
  const keys = keysOf(name);
  const sweep = sweepIdOf(plan);
  const wanted = new Map(missing.map((cell) => [cell.key, cell]));
  const open = new Set(wanted.keys());
  const sender = new Sender(redis, { name, priority: context.priority ?? "normal" });
  try {
    await using _alone = await holdAlone(redis, keys.coordinator(sweep), takeOverSeconds, signal);
    let sending: Promise<void> | undefined;
    let failure: unknown;
    const send = () => {
      sending = sender.send(bundlesOf(plan, (key) => open.has(key)), signal)
        .catch((error) => void (failure = error)).finally(() => (sending = undefined));
    };
    let begun = false;
    let heard = Date.now();
    let beaten = 0;
    let look = LOOK_MS.least;
    const workers = new Workers(monitor, takeOverSeconds);
    while (open.size > 0) {
      signal?.throwIfAborted();
      if (failure !== undefined) throw failure;
      const lines = await redis.lrange(keys.reports(sweep), 0, REPORTS - 1);
      look = lines.length > 0 ? LOOK_MS.least : Math.min(2 * look, LOOK_MS.most);
      if (lines.length > 0) {
        heard = Date.now();
        const outcomes = outcomesOf(lines, wanted).filter(({ cell: { key } }) => open.has(key));
        for (const { cell: { key } } of outcomes) open.delete(key);
        if (outcomes.length > 0) yield outcomes;
        await redis.ltrim(keys.reports(sweep), lines.length, -1);
      } else if (!begun) {
        begun = true; // what a former coordinator had sent is collected first, and is not sent again
        send();
      } else if (sending === undefined && Date.now() - heard > QUIET_MS) {
        heard = Date.now();
        if (await sender.waiting() === 0 && await redis.llen(keys.reports(sweep)) === 0) {
          log(`The queue is empty, and ${open.size} cells are missing: they are sent again.`);
          send();
        }
      }
      if (Date.now() - beaten > BEAT_MS) {
        beaten = Date.now();
        const lost = workers.hear(await redis.hgetall(keys.workers));
        if (lost.length > 0) await redis.hdel(keys.workers, ...lost);
      }
      if (open.size > 0 && lines.length < REPORTS) await new Promise((resolve) => setTimeout(resolve, look));
    }
    await sending;
    await sender.clear();
    await redis.del(keys.reports(sweep));
  } finally {
    await sender.close();
    redis.disconnect();
  }
}

function outcomesOf(lines: readonly string[], wanted: ReadonlyMap<string, PlannedCell>): Outcome[] {
  const found = new Map<string, Outcome>();
  for (const line of lines) {
    const { key, by, ...rest } = v.parse(reportSchema, JSON.parse(line));
    const cell = wanted.get(key);
    if (cell === undefined) continue; // it was stored before
    if (rest.is === "finished") found.set(key, { cell, by, receipt: rest.receipt });
    else if (!found.has(key)) found.set(key, { cell, by, error: rest.error, tries: rest.tries });
  }
  return [...found.values()];
}

/** Puts bundles into the queues of their groups. */
class Sender {
  readonly #redis: Redis;
  readonly #options: { readonly name: string; readonly priority: Priority };
  readonly #queues = new Map<string, Queue>();

  constructor(redis: Redis, options: { readonly name: string; readonly priority: Priority }) {
    this.#redis = redis;
    this.#options = options;
  }

  /** Bundles that are in the queues already stay as they are. */
  async send(bundles: Iterable<Addressed>, signal?: AbortSignal): Promise<void> {
    let [batch, groupId]: [Addressed[], string | undefined] = [[], undefined];
    for (const addressed of bundles) {
      if (batch.length >= BUNDLES || (groupId !== undefined && addressed.groupId !== groupId)) {
        await this.#add(batch);
        batch = [];
      }
      if (signal?.aborted) return;
      groupId = addressed.groupId;
      batch.push(addressed);
    }
    await this.#add(batch);
  }

  /** Jobs that wait or run in the queues that were used. */
  async waiting(): Promise<number> {
    let sum = 0;
    for (const queue of this.#queues.values()) {
      const counts = await queue.getJobCounts("waiting", "active", "delayed", "prioritized");
      sum += Object.values(counts).reduce((sum, count) => sum + count, 0);
    }
    return sum;
  }

  /** Takes groups of which nothing waits from the list. */
  async clear(): Promise<void> {
    for (const [groupId, queue] of this.#queues) {
      const counts = await queue.getJobCounts("waiting", "active", "delayed", "prioritized");
      if (Object.values(counts).every((count) => count === 0)) {
        await this.#redis.hdel(keysOf(this.#options.name).groups, groupId);
      }
    }
  }

  async close(): Promise<void> {
    for (const queue of this.#queues.values()) await queue.close();
  }

  async #add(batch: readonly Addressed[]): Promise<void> {
    if (batch.length === 0) return;
    const [{ groupId, bundle: { group } }] = batch;
    const queue = await this.#queue(groupId, group.model.name);
    await queue.addBulk(batch.map(({ jobId, bundle }) => ({
      name: "cells",
      data: bundle,
      opts: {
        jobId,
        priority: NUMBERS[this.#options.priority],
        attempts: ATTEMPTS,
        backoff: { type: "exponential", delay: 500 },
        removeOnComplete: true, // reports tell what was done; and what is sent again must not count as there
        removeOnFail: true,
      },
    })));
  }

  async #queue(groupId: string, model: string): Promise<Queue> {
    const { name, priority } = this.#options;
    const { groups, queue: queueName } = keysOf(name);
    const known = this.#queues.get(groupId);
    if (known) return known;
    const queue = new Queue(queueName(groupId), { connection: this.#redis, streams: { events: { maxLen: 100 } } });
    queue.on("error", () => {}); // the connection tells it
    this.#queues.set(groupId, queue);
    const entry = await this.#redis.hget(groups, groupId);
    const before = PRIORITIES.find((known) => entry?.includes(`"${known}"`)) ?? priority;
    const higher = PRIORITIES.indexOf(before) < PRIORITIES.indexOf(priority) ? before : priority;
    await this.#redis.hset(groups, groupId, JSON.stringify({ model, priority: higher }));
    await this.#redis.expire(groups, KEPT_SECONDS);
    return queue;
  }
}

/** Workers by their heartbeats. */
class Workers {
  readonly #monitor: Monitor;
  readonly #silentMs: number;
  readonly #heard = new Map<string, { beat: number; at: number }>();

  constructor(monitor: Monitor, takeOverSeconds: number) {
    this.#monitor = monitor;
    this.#silentMs = 1000 * takeOverSeconds + BEAT_MS;
  }

  /** @returns those that were not heard of for long */
  hear(entries: Readonly<Record<string, string>>): readonly string[] {
    const lost: string[] = [];
    for (const [name, json] of Object.entries(entries)) {
      const parsed = v.safeParse(heartbeatSchema, JSON.parse(json));
      if (!parsed.success) continue; // another version's: it is watched there
      const { beat, is, model, memory } = parsed.output;
      const last = this.#heard.get(name);
      if (last?.beat !== beat) this.#heard.set(name, { beat, at: Date.now() });
      const silent = last?.beat === beat && Date.now() - last.at > this.#silentMs;
      if (silent) lost.push(name);
      this.#monitor.see({ name, model, memory, is: silent ? "lost" : is });
    }
    return lost;
  }
}
