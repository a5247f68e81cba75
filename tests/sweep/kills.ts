/**
 * SIGKILL of workers, of the processes that run their cells, of the coordinator and of Redis (which keeps its writes) at
 * random moments: each sweep ends with every cell once, none lost, none corrupt. `deno task test:kills` does it 200 times
 * to fake cells and 20 times to pocket cells; `deno task test:kills fake|pocket [COUNT]` one of them; the suite a few.
 */

import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { inFolder } from "../files.ts";
import { FAKE, POCKET, type Subject } from "./subjects.ts";
import { ended, startRedis } from "./servers.ts";

export interface Killed {
  readonly kills: number;
  /** How often each of them was killed. */
  readonly victims: Readonly<Record<string, number>>;
  readonly sweeps: number;
  /** Times that cells were set aside because they were killed with three workers: the same sweep again runs them. */
  readonly aside: number;
}

/** Kills until so many have been killed, and then lets the last sweep end. */
export function killAtRandom(
  subject: Subject,
  count: number,
  log: (message: string) => void = () => {},
): Promise<Killed> {
  return new Promise((resolve, reject) => {
    inFolder(async (folder) => resolve(await killIn(folder, subject, count, log))).catch(reject);
  });
}

async function killIn(
  folder: string,
  subject: Subject,
  count: number,
  log: (message: string) => void,
): Promise<Killed> {
  await using redis = await startRedis({ keeps: "aof" });
  const { begin, patience } = subject;
  const { coordinate, work, wantWhole } = await begin(join(folder, "reference"));
  const victims: Record<string, number> = {};
  let [kills, sweeps, aside] = [0, 0, 0];
  while (kills < count) {
    const store = join(folder, `sweep-${sweeps}`);
    const workers = [work(redis.url, store), work(redis.url, store)];
    let coordinator = coordinate(redis.url, store);
    let [stored, progressed] = [0, Date.now()];
    try {
      for (;;) {
        // A moment after the sweep got on: killed faster than processes start, none would. Each fourth is not so kind.
        const wait = kills % 4 === 3 ? 0 : 1;
        let status: Deno.CommandStatus | undefined;
        for (const before = stored; status === undefined && stored < before + wait;) {
          status = await Promise.race([coordinator.status, pause(50)]);
          const now = rowsIn(store);
          if (now > stored) [stored, progressed] = [now, Date.now()];
          if (Date.now() - progressed > 1000 * patience) throw new Error(`A sweep hangs: no cell in ${patience} s.`);
        }
        status ??= await Promise.race([coordinator.status, pause(1000 * momentOf(kills))]);
        if (status?.code === 0) break;
        if (status !== undefined) {
          aside++;
          coordinator = coordinate(redis.url, store);
          continue;
        }
        if (kills >= count) continue;
        const drawn = Math.floor(5 * momentOf(31 * kills + 7));
        let victim = ["worker", "worker", "cell's process", "coordinator", "Redis"][drawn];
        if (drawn < 3) {
          const at = drawn % 2;
          const child = drawn === 2 ? childOf(workers[at].pid) : undefined;
          if (child === undefined) {
            victim = "worker"; // also where it has no process yet
            await ended(workers[at]);
            workers[at] = work(redis.url, store);
          } else killProcess(child);
        } else if (drawn === 3) {
          await ended(coordinator);
          coordinator = coordinate(redis.url, store);
        } else await redis.restart();
        victims[victim] = (victims[victim] ?? 0) + 1;
        kills++;
        log(`${kills}: ${victim}, with ${stored} of ${subject.cells} cells stored`);
      }
    } finally {
      await Promise.all([...workers, coordinator].map(ended));
    }
    await wantWhole(store);
    sweeps++;
  }
  return { kills, victims, sweeps, aside };
}

/** Rows that are stored so far, read without the kit. */
function rowsIn(store: string): number {
  try {
    using database = new DatabaseSync(join(store, "store.sqlite"), { readOnly: true });
    return Number(database.prepare("SELECT count(*) AS count FROM cells").get()?.count);
  } catch {
    return 0; // there is no store yet, or its tables are just being made
  }
}

/** A process that another one has started, where the system tells. */
function childOf(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  for (const { name: thread } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const [first] = Deno.readTextFileSync(`/proc/${pid}/task/${thread}/children`).trim().split(" ");
    if (first !== "") return Number(first);
  }
  return undefined;
}

function killProcess(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // it has ended
  }
}

function pause(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Spread over 0 … 1 without a pattern, the same in every run: multiples of the golden ratio. */
function momentOf(index: number): number {
  return ((index + 1) * (Math.sqrt(5) - 1) / 2) % 1;
}

async function tell(name: "fake" | "pocket", count: number): Promise<void> {
  const subject = name === "fake" ? FAKE : POCKET;
  const began = performance.now();
  const { kills, victims, sweeps, aside } = await killAtRandom(subject, count, console.log);
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(
    `${kills} kills over ${sweeps} sweeps of ${subject.cells} ${name} cells in ${seconds} s: every cell once, whole.`,
  );
  console.log(`Killed: ${JSON.stringify(victims)}. ${aside} times cells were set aside and run again.`);
}

if (import.meta.main) {
  const [which, count] = Deno.args;
  if (which !== "pocket") await tell("fake", Number(count ?? 200));
  if (which !== "fake") await tell("pocket", Number(count ?? 20));
  Deno.exit(0);
}
