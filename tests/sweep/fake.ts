/** Cells that cost nothing and do as their prompts say, with bits that follow from their keys alone. */

import { cellContent } from "fewstep/sweep/content.ts";
import type { Content } from "fewstep/sweep/cell.ts";
import { digestOf, keyOf } from "fewstep/sweep/content.ts";
import type { OpenMaker } from "fewstep/sweep/maker.ts";
import type { Plan, PlannedCell } from "fewstep/sweep/plan.ts";
import { Tensor } from "fewstep";

/** Runs fake cells in a process: `serve(openFake)`. */
export const FAKE_CHILD = new URL("fake_child.ts", import.meta.url);

export interface FakePlanOptions {
  /** Names of models. Default one. */
  readonly models?: readonly string[];
  /** Cells of each model. */
  readonly cells: number;
  /** What the cells do: see `openFake`. Default nothing. */
  readonly prompt?: (index: number) => string;
}

type Shared = Omit<ReturnType<typeof cellContent>, "weights" | "prompt" | "seed">;

const SHARED: Shared = {
  numerics: 1,
  loras: [],
  loraMode: "branch",
  architecture: "none",
  negative: null,
  sampler: "euler",
  prediction: "epsilon",
  timesteps: [999],
  sigmas: [1, 0],
  initNoiseSigma: 1,
  landings: null,
  guidance: 0,
  embeddedGuidance: null,
  guidanceRescale: null,
  guidanceInterval: null,
  eta: null,
  width: 8,
  height: 8,
  device: "cpu",
  precision: "fp32",
  runtime: "none",
};

const way = { recipe: "base", steps: 1 };

export function fakePlan({ models = ["fake"], cells, prompt = () => "" }: FakePlanOptions): Plan {
  const planned: PlannedCell[] = [];
  for (const [modelIndex, model] of models.entries()) {
    for (let index = 0; index < cells; index++) {
      const content: Content = {
        ...SHARED,
        weights: { unet: [digestOf(model)] },
        prompt: prompt(index),
        seed: String(index),
      };
      planned.push({
        key: keyOf(content),
        modelIndex,
        way,
        content,
        labels: {
          position: planned.length,
          model,
          family: "base",
          recipe: "base",
          steps: 1,
          sampler: "euler",
          guidance: 0,
          promptIndex: 0,
          promptName: content.prompt,
          prompt: content.prompt,
          negative: null,
          seed: content.seed,
          width: 8,
          height: 8,
          device: "cpu",
          precision: "fp32",
        },
      });
    }
  }
  return {
    models: models.map((name) => ({ options: { name, model: name }, digests: {} })),
    prompts: [],
    cells: planned,
    measure: { warmUp: "none", records: "none" },
    quality: {},
    omitted: [],
  };
}

/** The last latent of a fake cell. */
export function fakeLatent(key: string): Tensor {
  return Tensor.of([...key.slice(0, 4)].map((digit) => parseInt(digit, 16)), [1, 4, 1, 1]);
}

/**
 * Words of a prompt: "sleep 200" milliseconds, "throw", "die" (as by the out-of-memory killer), "hog" (600 MB), "log PATH"
 * (adds the model and key to a file), "once" (throws or dies only where PATH has no line of it yet). A model that is
 * called "missing" cannot be opened.
 */
export const openFake: OpenMaker = ({ model: { model } }) => {
  if (model === "missing") return Promise.reject(new Error("Cannot open missing: it does not exist."));
  let hog: Uint8Array | undefined;
  return Promise.resolve({
    async make({ key, prompt }) {
      const sleep = /\bsleep (\d+)/.exec(prompt);
      const log = /\blog (\S+)/.exec(prompt)?.[1];
      const before = log === undefined ? "" : await Deno.readTextFile(log).catch(() => "");
      if (log !== undefined) await Deno.writeTextFile(log, `${Deno.pid} ${model} ${key}\n`, { append: true });
      if (sleep) await new Promise((resolve) => setTimeout(resolve, Number(sleep[1])));
      if (!/\bonce\b/.test(prompt) || !before.includes(key)) {
        if (/\bthrow\b/.test(prompt)) throw new Error("it was told to");
        if (/\bdie\b/.test(prompt)) Deno.kill(Deno.pid, "SIGKILL");
        if (/\bhog\b/.test(prompt)) {
          hog = new Uint8Array(600e6).fill(1);
          await new Promise((resolve) => setTimeout(resolve, 5000));
        }
      }
      return {
        secondsText: null,
        secondsUnet: 1,
        secondsPerStep: 1,
        secondsVae: hog === undefined ? 1 : 2,
        secondsTotal: 2,
        memoryBaseline: 1,
        memoryResident: 1,
        memoryPeak: 1,
        warm: true,
        versions: "fake",
        machine: "fake",
        made: "2026-01-01T00:00:00.000Z",
        png: new TextEncoder().encode(`picture of ${key}`),
        lastLatent: fakeLatent(key),
      };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
};
