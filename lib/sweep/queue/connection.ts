/** Redis, reached again whenever it was lost, and the names of what lies there. */

import { Redis } from "ioredis";

/** Which Redis the machines of a fleet meet at. */
export interface QueueOptions {
  /** "redis://USER:PASSWORD@HOST:PORT/DATABASE", or "rediss://…" for TLS. */
  readonly redis: string;
  /** Tells fleets on one Redis apart. Default "fewstep". */
  readonly name?: string;
  /** Cells of "high" go before those of "normal" (default), these before "low". */
  readonly priority?: Priority;
  /**
   * Seconds after which the work of someone who is silent is taken over. Default 15: a pause of the network or of a
   * machine is often some seconds long.
   */
  readonly takeOverSeconds?: number;
}

/** Which sweep's cells a fleet takes first, first to last. */
export const PRIORITIES = ["high", "normal", "low"] as const;
/** A sweep's turn: see `PRIORITIES`. */
export type Priority = typeof PRIORITIES[number];

export const DEFAULT_NAME = "fewstep";
export const TAKE_OVER_SECONDS = 15;

/** Seconds beyond `takeOverSeconds` without an answer after which a connection is taken for dead: a cut line says nothing. */
const SILENCE_SECONDS = 5;

export interface ConnectOptions {
  readonly takeOverSeconds?: number;
  /** Told when the connection is lost and found. */
  readonly log?: (message: string) => void;
}

/**
 * Connects, and connects again whenever the connection is lost; commands wait for it.
 *
 * @throws an error whose message is one sentence, without the password, when it cannot be reached now
 */
export async function connect(
  url: string,
  { takeOverSeconds = TAKE_OVER_SECONDS, log = () => {} }: ConnectOptions = {},
): Promise<Redis> {
  const name = nameOfRedis(url);
  const probe = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5000 });
  let why = "";
  probe.on("error", (error: Error) => (why = error.message));
  try {
    await probe.connect();
    await probe.ping();
  } catch (error) {
    const said = why || (error instanceof Error ? error.message : String(error));
    throw new Error(`Cannot reach ${name}: ${said}. Wanted is redis://USER:PASSWORD@HOST:PORT, rediss:// for TLS.`);
  } finally {
    probe.disconnect();
  }
  const redis = new Redis(url, {
    maxRetriesPerRequest: null, // commands wait; bullmq wants it so
    retryStrategy: (times) => Math.min(50 * 2 ** times, 2000),
    socketTimeout: 1000 * (takeOverSeconds + SILENCE_SECONDS),
    keepAlive: 10_000,
  });
  let lost = false;
  redis.on("error", (error: Error) => {
    if (!lost) log(`Lost ${name}: ${error.message}. Trying again.`);
    lost = true;
  });
  redis.on("ready", () => {
    if (lost) log(`Found ${name} again.`);
    lost = false;
  });
  return redis;
}

function nameOfRedis(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol)) {
    throw new SyntaxError("Cannot use the address of Redis: redis://HOST:PORT or rediss://HOST:PORT was wanted.");
  }
  return `Redis at ${parsed.host}`;
}

/** Names of keys. Those of the queues themselves are bullmq's, under "bull:". */
export function keysOf(name: string) {
  return {
    /** Hash of groups by id, as JSON: models whose cells wait. */
    groups: `fewstep:${name}:groups`,
    /** Hash of workers by id, as JSON: heartbeats. */
    workers: `fewstep:${name}:workers`,
    /** Set of workers, by id, that could not open a group's model of late. */
    refused: (group: string) => `fewstep:${name}:refused:${group}`,
    /** Hash of the cells of a job by key: tries so far, "done" or "aside". */
    job: (id: string) => `fewstep:${name}:job:${id}`,
    /** List of what workers have to tell the sweep's coordinator. */
    reports: (sweep: string) => `fewstep:${name}:reports:${sweep}`,
    /** Who collects the reports of a sweep. */
    coordinator: (sweep: string) => `fewstep:${name}:coordinator:${sweep}`,
    queue: (group: string) => `fewstep-${name}-${group}`,
  };
}

/** Seconds that anything is kept which nobody asks for any more. */
export const KEPT_SECONDS = 7 * 24 * 3600;
