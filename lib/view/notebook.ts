/**
 * The only file that touches `Deno.jupyter`.
 *
 * Measured traps decide what it does: the kernel reports a cell as finished before its output queue is drained, so
 * every display is awaited and followed by a short timer; outputs of many megabytes corrupt the protocol, so they
 * are refused; a rejected promise that nobody awaits shows nothing, so it is printed.
 */

import { dirname } from "node:path";
import { stop } from "../model/stop.ts";

/** A display bundle: MIME types and their data. */
export type Bundle = Readonly<Record<string, string>>;

export interface DisplayOptions {
  /** By MIME type, `{ "image/png": { width, alt } }`, and what an editor wants for the whole output. */
  readonly metadata?: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;
  /** Names the output, so that a later display with `update` replaces it. */
  readonly id?: string;
  readonly update?: boolean;
  /** More of the same output follows, so that this one need not have arrived. */
  readonly more?: boolean;
}

interface Jupyter {
  broadcast(type: string, content: Record<string, unknown>): Promise<void>;
}

/** Bytes that one output may have: beyond, the kernel's protocol breaks now and then. */
export const outputLimit = 16 * 1024 * 1024;

/**
 * Milliseconds that the kernel gets to drain its queue before it may say that a cell is done. 5 lost none in 600 on
 * an idle machine, and one in some hundreds on a busy one.
 */
const drain = 20;

const kernel = findKernel();

/** Deno throws where `Deno.jupyter` is read outside of a kernel, even by `typeof`. */
function findKernel(): Jupyter | undefined {
  try {
    const found: unknown = Reflect.get(Deno, "jupyter");
    return isJupyter(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isJupyter(value: unknown): value is Jupyter {
  return typeof value === "object" && value !== null && "broadcast" in value && typeof value.broadcast === "function";
}

/** Whether this code runs in a notebook. */
export const inNotebook: boolean = kernel !== undefined;

/**
 * Displays a bundle under the running cell and waits until it is there.
 * @throws RangeError when it is larger than 16 MB, or when there is no notebook.
 */
export async function display(
  bundle: Bundle,
  { metadata = {}, id, update = false, more = false }: DisplayOptions = {},
): Promise<void> {
  const size = Object.values(bundle).reduce((sum, data) => sum + data.length, 0);
  if (size > outputLimit) {
    throw new RangeError(
      `Cannot show an output of ${(size / 1048576).toFixed(1)} MB: a cell shows up to 16 MB. ` +
        `Save it to a file, or show fewer or smaller pictures.`,
    );
  }
  if (kernel === undefined) throw new RangeError("Cannot display: this is no notebook. Print or save instead.");
  await kernel.broadcast(update ? "update_display_data" : "display_data", {
    data: bundle,
    metadata,
    transient: id === undefined ? {} : { display_id: id },
  });
  await new Promise((resolve) => setTimeout(resolve, more ? 0 : drain));
}

/**
 * Stop sends SIGINT, which ends the kernel and everything in it unless it is caught. Caught, it ends the run under
 * way between two steps, and the notebook keeps all it holds.
 */
function catchStop(): void {
  const heard = () => {
    if (stop()) return;
    console.error(
      "Stop was heard, but no model runs and nothing has asked for stopSignal(). " +
        "What else keeps the cell busy ends when it is done, or by restarting the kernel.",
    );
  };
  try {
    Deno.addSignalListener("SIGINT", heard);
  } catch {
    // A system without signals, or no permission for them: Stop then ends the kernel, as it does without the kit.
  }
}

/**
 * JupyterLab starts a kernel in the notebook's folder, VS Code where it was opened. Paths mean the same in both, and
 * in scripts, when the kernel goes to the project's folder: the nearest one up that has a deno.json.
 */
function goToProject(): void {
  for (let folder = Deno.cwd();; folder = dirname(folder)) {
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    if (names.includes("deno.json") || names.includes("deno.jsonc")) return Deno.chdir(folder);
    if (folder === dirname(folder)) return;
  }
}

/**
 * The kernel prints an error's stack and drops its cause, which often is the reason. Here the stack says both, and of
 * the frames those of the cells and the kit.
 */
export function tellOfCauses(error: Error, frames: readonly { toString(): string }[]): string {
  const lines = [`${error.name}: ${error.message}`];
  for (let cause = error.cause, depth = 0; cause !== undefined && depth < 5; depth++) {
    lines.push(`caused by ${cause instanceof Error ? `${cause.name}: ${cause.message}` : Deno.inspect(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  const own = frames.map(String).filter((frame) => !/\b(ext:|node:|npm:|node_modules)/.test(frame));
  return [...lines, ...own.map((frame) => `    at ${frame}`)].join("\n");
}

if (inNotebook) {
  Object.assign(Error, { prepareStackTrace: tellOfCauses });
  goToProject();
  catchStop();
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error("A promise that nothing awaits was rejected:", event.reason);
  });
}
