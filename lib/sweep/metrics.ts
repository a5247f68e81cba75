/** How a sweep goes, as text that Prometheus reads (exposition format 0.0.4). */

import type { SweepState } from "./monitor.ts";

/** The text of a state. Counters only rise while a sweep goes on; a sweep that begins anew begins at zero. */
export function metricsText(state: SweepState | undefined): string {
  if (state === undefined) return sample("fewstep_sweep_up", "gauge", "1 once the sweep runs cells.", [[{}, 0]]);
  const { total, before, done, failed, elapsedSeconds, remainingSeconds, workers } = state;
  const of = (value: (worker: SweepState["workers"][number]) => number | undefined) =>
    workers.flatMap((worker): Sample[] => {
      const found = value(worker);
      return found === undefined ? [] : [[{ worker: worker.name }, found]];
    });
  return [
    sample("fewstep_sweep_up", "gauge", "1 once the sweep runs cells.", [[{}, 1]]),
    sample("fewstep_sweep_cells", "gauge", "Cells of the plan.", [[{}, total]]),
    sample("fewstep_sweep_cells_stored_before", "gauge", "Cells that the store had.", [[{}, before]]),
    sample("fewstep_sweep_cells_finished_total", "counter", "Cells that were run.", [[{}, done - before]]),
    sample("fewstep_sweep_cells_failed", "gauge", "Cells that were set aside.", [[{}, failed]]),
    sample("fewstep_sweep_elapsed_seconds", "gauge", "Since it began.", [[{}, elapsedSeconds]]),
    ...remainingSeconds === undefined
      ? []
      : [sample("fewstep_sweep_remaining_seconds", "gauge", "Estimated until its end.", [[{}, remainingSeconds]])],
    sample("fewstep_worker_cells_finished_total", "counter", "Cells that a worker ran.", of(({ done }) => done)),
    sample("fewstep_worker_cells_failed_total", "counter", "Cells of a worker set aside.", of(({ failed }) => failed)),
    sample("fewstep_worker_up", "gauge", "0 for a worker that is silent.", of(({ is }) => is === "lost" ? 0 : 1)),
    sample("fewstep_worker_resident_bytes", "gauge", "Memory of a worker.", of(({ memory }) => memory)),
  ].join("");
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

function sample(name: string, type: "gauge" | "counter", about: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}\n`;
  });
  return `# HELP ${name} ${about}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

export interface MetricsServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * Serves the text at /metrics.
 *
 * @param address "HOST:PORT" or "PORT", which is this machine's alone (127.0.0.1); port 0 takes a free one
 * @throws an error whose message is one sentence, for an address that cannot be used
 */
export function serveMetrics(address: string, state: () => SweepState | undefined): MetricsServer {
  const [, hostname = "127.0.0.1", digits] = /^(?:\[?([^\]]+?)\]?:)?(\d{1,5})$/.exec(address) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) {
    throw new RangeError(`Cannot serve metrics at ${address}: PORT or HOST:PORT was wanted, for example 9464.`);
  }
  try {
    const server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
      if (new URL(request.url).pathname !== "/metrics") return new Response("See /metrics.\n", { status: 404 });
      return new Response(metricsText(state()), { headers: { "content-type": "text/plain; version=0.0.4" } });
    });
    return {
      url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${server.addr.port}/metrics`,
      [Symbol.asyncDispose]: () => server.shutdown(),
    };
  } catch (error) {
    throw new Error(`Cannot serve metrics at ${address}: ${error instanceof Error ? error.message : error}.`);
  }
}
