/** A name in Redis that one process at a time holds. */

import { hostname } from "node:os";
import type { Redis } from "ioredis";

/** Takes a name only from the one who holds it. */
const RELEASE = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0`;
const RENEW = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("pexpire", KEYS[1], ARGV[2]) end
  return redis.call("set", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) and 1 or 0`;

/**
 * Holds a name until it is disposed of. One that was killed holds it for `seconds` more: that is waited for.
 *
 * @throws Error when another process goes on holding it
 */
export async function holdAlone(
  redis: Redis,
  key: string,
  seconds: number,
  signal?: AbortSignal,
): Promise<AsyncDisposable> {
  const me = `${hostname()}, process ${Deno.pid} ${crypto.randomUUID().slice(0, 8)}`;
  const until = Date.now() + 1000 * (seconds + 2);
  while (await redis.set(key, me, "PX", 1000 * seconds, "NX") === null) {
    signal?.throwIfAborted();
    if (Date.now() > until) {
      const [holder] = (await redis.get(key) ?? "another process").split(/ \w{8}$/);
      throw new Error(`Cannot run this sweep: ${holder} runs the same one on this queue. Wait for it, or end it.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const timer = setInterval(() => {
    redis.eval(RENEW, 1, key, me, 1000 * seconds).catch(() => {}); // the next one may reach it
  }, 1000 * seconds / 3);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      if (redis.status === "ready") await redis.eval(RELEASE, 1, key, me);
    },
  };
}
