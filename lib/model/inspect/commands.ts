/** Command lines for what was inspected, ready to be pasted into a shell. */

import type { Fit } from "./inspection.ts";

export interface Usage {
  /** As it was given. */
  readonly path: string;
  /** What it is to `generate`. */
  readonly use: "model" | "unet" | "vae" | "lora";
  /** The model that it goes into. Default a word to be replaced. */
  readonly model?: string;
  /** Whether its vocabulary has to be named. */
  readonly tokenizer?: "wanted";
}

export function commandsFor(recipes: readonly string[], usage: Usage): readonly Fit[] {
  return recipes.map((recipe) => ({ recipe, command: command(recipe, usage) }));
}

function command(recipe: string, { path, use, model = "MODEL", tokenizer }: Usage): string {
  const opened = use === "model" ? `--model ${quoted(path)}` : `--model ${model} --${use} ${quoted(path)}`;
  const vocabulary = tokenizer === "wanted" ? " --tokenizer FOLDER" : "";
  return `deno task generate ${opened}${vocabulary} --recipe ${recipe} --prompt "…" --out picture.png`;
}

/** As a shell wants it: in quotes where it holds anything that means something there. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
