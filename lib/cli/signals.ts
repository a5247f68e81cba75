/** What asks a command to end. */

/** A signal that SIGINT and SIGTERM abort, once: a second one ends the process at once. */
export function endingSignal(reason?: Error): AbortSignal {
  const stop = new AbortController();
  const names = Deno.build.os === "windows" ? ["SIGINT"] as const : ["SIGINT", "SIGTERM"] as const;
  const onSignal = () => {
    for (const name of names) Deno.removeSignalListener(name, onSignal);
    stop.abort(reason);
  };
  for (const name of names) Deno.addSignalListener(name, onSignal);
  return stop.signal;
}
