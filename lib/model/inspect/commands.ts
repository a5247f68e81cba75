/** Command lines for what was inspected, ready to be pasted into a shell. */

import { recipes } from "../../diffusion/mod.ts";
import type { Fit } from "./inspection.ts";

export interface Usage {
  /** As it was given. */
  readonly path: string;
  /** What it is to `generate`. */
  readonly use: "model" | "unet" | "vae" | "lora";
  /** The model that it goes into. Default a word to be replaced. */
  readonly model?: string;
  /** Steps that it was distilled to, where the recipe serves several. */
  readonly steps?: number;
  /** Whether its vocabulary has to be named. */
  readonly tokenizer?: "wanted";
}

export function commandsFor(names: readonly string[], usage: Usage): readonly Fit[] {
  return names.map((recipe) => ({ recipe, command: command(recipe, usage) }));
}

function command(recipe: string, { path, use, model = "MODEL", steps, tokenizer }: Usage): string {
  const opened = use === "model" ? `--model ${quoted(path)}` : `--model ${model} --${use} ${quoted(path)}`;
  const vocabulary = tokenizer === "wanted" ? " --tokenizer FOLDER" : "";
  const count = steps === undefined || steps === recipes[recipe].steps ? "" : ` --steps ${steps}`;
  return `deno task generate ${opened}${vocabulary} --recipe ${recipe}${count} --prompt "…" --out picture.png`;
}

/** As a shell wants it: in quotes where it holds anything that means something there. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
