/** Processor time, which a busy machine changes less than the time on the wall. */

import process from "node:process";

/** Milliseconds of processor time that this process has taken. */
export function ownProcessor(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds of processor time that this process's living children have taken. */
export function childrenProcessor(): number {
  if (Deno.build.os !== "linux") return NaN;
  let ticks = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, parent, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(parent) === Deno.pid) ticks += Number(rest[9]) + Number(rest[10]); // utime and stime, in 1/100 s
    } catch (error) {
      const gone = error instanceof Deno.errors.NotFound ||
        (error instanceof Error && /ESRCH|No such process/.test(error.message));
      if (!gone) throw error; // else it has just ended
    }
  }
  return 10 * ticks;
}
