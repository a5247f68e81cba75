/** `deno task pull`: a checkpoint of the hub comes into the cache, and its path onto stdout. */

import { formatBytes } from "../hub/faults.ts";
import { isLocal } from "../hub/local.ts";
import type { Pulled, PullOptions } from "../hub/pull.ts";
import type { PullProgress } from "../hub/progress.ts";
import { parseReference } from "../hub/reference.ts";
import { hubSettings } from "../hub/settings.ts";
import { type Arguments, type Command, main, type Running, UsageError } from "./args.ts";

export const pull: Command = {
  name: "pull",
  about: "Brings a checkpoint of the hub into the cache that diffusers uses too.\n" +
    "Only what SDXL needs is brought, a pull that was cut is resumed, every file is checked against its hash.",
  positional: {
    value: "REF",
    about: "org/name, org/name:file.safetensors, org/name@revision:file.safetensors or a page of the hub",
  },
  options: {
    variant: { value: "NAME", about: "form of a folder's weights, where there is one: fp16. Default: plain ones" },
    file: { value: "NAME", about: "a path in the repository, in place of what SDXL needs; repeatable", multiple: true },
    parallel: { value: "N", about: "ranges of a large file under way at once; default 4" },
    verify: { about: "hold files that are in the cache already against their hash, not their size only" },
    offline: { about: "use the cache and no network, as HF_HUB_OFFLINE=1 does" },
    json: { about: "print path, commit and files as a JSON object" },
  },
  examples: [
    "deno task pull stabilityai/sdxl-turbo --variant fp16",
    "deno task pull ByteDance/SDXL-Lightning:sdxl_lightning_4step_unet.safetensors",
    "HF_TOKEN=hf_… deno task pull org/gated-model",
  ],
  kept: "What has arrived is kept: the same command goes on from there.",
  run,
};

async function run(args: Arguments, { signal }: Running): Promise<void> {
  const reference = args.positional("REF", "what to pull, for example stabilityai/sdxl-turbo");
  await wantReference(reference);
  const line = progressLine();
  const began = performance.now();
  const { pullFiles } = await import("../hub/pull.ts");
  try {
    const pulled = await pullFiles(reference, {
      ...optionsOf(args),
      signal,
      onProgress: line.show,
    });
    line.wipe();
    const milliseconds = performance.now() - began;
    console.log(args.has("json") ? JSON.stringify({ ...pulled, milliseconds }, null, 2) : pulled.path);
    if (Deno.stderr.isTerminal()) console.error(account(pulled, milliseconds));
  } catch (error) {
    line.wipe();
    throw error;
  }
}

/** A name that is none can be mended on the command line. */
async function wantReference(text: string): Promise<void> {
  if (await isLocal(text)) return;
  const { endpoint } = hubSettings();
  try {
    parseReference(text, { endpoint });
  } catch (error) {
    throw error instanceof SyntaxError ? new UsageError(error.message) : error;
  }
}

function optionsOf(args: Arguments): PullOptions {
  return {
    variant: args.text("variant"),
    files: args.texts("file"),
    parallel: args.number("parallel", "a whole number from 1", { whole: true, least: 1 }),
    verify: args.has("verify") ? "hash" : "size",
    offline: args.has("offline") ? true : undefined,
  };
}

interface Line {
  show(progress: PullProgress): void;
  wipe(): void;
}

/** One line that is written over; nothing where stderr is no terminal. */
function progressLine(): Line {
  if (!Deno.stderr.isTerminal()) return { show: () => {}, wipe: () => {} };
  const write = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
  return {
    show: (progress) => write(inWords(progress).slice(0, columns() - 1)),
    wipe: () => write(""),
  };
}

/** "2/18 unet/diffusion_pytorch_model.safetensors · 1.20 GB of 5.14 GB · 43.1 MB/s · 2 min left" */
export function inWords({ file, files, bytes, bytesPerSecond }: PullProgress): string {
  const parts = [
    `${Math.min(files.done + 1, files.total)}/${files.total} ${file}`,
    `${formatBytes(bytes.done)} of ${formatBytes(bytes.total)}`,
  ];
  if (bytesPerSecond > 0) {
    parts.push(`${formatBytes(Math.round(bytesPerSecond))}/s`);
    parts.push(`${inTime((bytes.total - bytes.done) / bytesPerSecond)} left`);
  }
  return parts.join(" · ");
}

function inTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3600 ? `${Math.ceil(whole / 60)} min` : `${(whole / 3600).toFixed(1)} h`;
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}

function account({ files }: Pulled, milliseconds: number): string {
  const fresh = files.filter(({ how }) => how !== "cached");
  const bytes = fresh.reduce((sum, file) => sum + file.bytes, 0);
  const cached = files.length - fresh.length;
  return `${fresh.length} files, ${formatBytes(bytes)}, in ${
    (milliseconds / 1000).toFixed(1)
  } s; ${cached} were there.`;
}

if (import.meta.main) await main(pull);
