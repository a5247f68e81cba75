/** Which files of a repository SDXL needs: configs, vocabularies, and each part's weights in one form. */

/** What a part's folder holds beside weights, and what its weights are called. */
const PARTS: Readonly<Record<string, { readonly files: readonly string[]; readonly weights?: string }>> = {
  scheduler: { files: ["scheduler_config.json"] },
  text_encoder: { files: ["config.json"], weights: "model" },
  text_encoder_2: { files: ["config.json"], weights: "model" },
  tokenizer: { files: vocabulary() },
  tokenizer_2: { files: vocabulary() },
  unet: { files: ["config.json"], weights: "diffusion_pytorch_model" },
  vae: { files: ["config.json"], weights: "diffusion_pytorch_model" },
};

function vocabulary(): readonly string[] {
  return [
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
  ];
}

/** Files that are chosen, or a clause that says why none can be. */
export type Choice = { readonly files: readonly string[] } | { readonly fault: string };

/**
 * Chooses from a listing.
 *
 * A diffusers folder gives each part's configs and weights; a folder of one network (config and weights at the top)
 * gives those; a repository of single-file checkpoints gives its checkpoint if it has one only.
 * Weights are `.safetensors`: those of the variant if there are any, else plain ones, else fp16 ones. Pickles run code
 * when they are opened, and the other formats hold the same numbers again.
 */
export function choose(paths: readonly string[], variant?: string): Choice {
  const all = new Set(paths);
  if (all.has("model_index.json")) return chooseParts(all, variant);
  if (all.has("config.json")) {
    const weights = weightsIn(all, "", "diffusion_pytorch_model", variant) ?? weightsIn(all, "", "model", variant);
    if (weights !== undefined) return { files: ["config.json", ...weights] };
  }
  const checkpoints = paths.filter((path) => path.endsWith(".safetensors")).sort();
  if (checkpoints.length === 1) return { files: checkpoints };
  if (checkpoints.length === 0) return { fault: "it has neither a model_index.json nor .safetensors weights" };
  return { fault: `it is no diffusers folder; name one of its files: ${listed(checkpoints)}` };
}

/** Parts that a model_index.json names, and that a set of files does not hold whole. */
export function missingParts(index: Readonly<Record<string, unknown>>, paths: readonly string[]): string[] {
  const all = new Set(paths);
  return Object.entries(PARTS).filter(([part, { files, weights }]) => {
    const named = index[part];
    if (!Array.isArray(named) || !named.every((word) => typeof word === "string")) return false;
    if (weights === undefined) return !files.some((file) => all.has(`${part}/${file}`));
    return !all.has(`${part}/config.json`) || weightsIn(all, `${part}/`, weights, undefined) === undefined;
  }).map(([part]) => part);
}

function chooseParts(all: ReadonlySet<string>, variant: string | undefined): Choice {
  const chosen = ["model_index.json"];
  for (const [part, { files, weights: stem }] of Object.entries(PARTS)) {
    const present = [...all].filter((path) => path.startsWith(`${part}/`));
    if (present.length === 0) continue;
    chosen.push(...files.map((file) => `${part}/${file}`).filter((path) => all.has(path)));
    if (stem === undefined) continue;
    const weights = weightsIn(all, `${part}/`, stem, variant);
    if (weights === undefined) {
      return { fault: `its ${part} has no .safetensors weights; it has ${listed(present)}` };
    }
    chosen.push(...weights);
  }
  return { files: chosen };
}

/** One form of a part's weights: a file, or an index and all of its shards. */
function weightsIn(
  all: ReadonlySet<string>,
  folder: string,
  stem: string,
  variant: string | undefined,
): readonly string[] | undefined {
  const forms = variant === undefined ? [undefined, "fp16"] : [variant, undefined, "fp16"];
  for (const form of forms) {
    const name = folder + stem + (form === undefined ? "" : `.${form}`);
    if (all.has(`${name}.safetensors`)) return [`${name}.safetensors`];
    // diffusers has written the variant on either side of "index".
    const indexes = form === undefined
      ? [`${name}.safetensors.index.json`]
      : [`${folder}${stem}.safetensors.index.${form}.json`, `${name}.safetensors.index.json`];
    const index = indexes.find((path) => all.has(path));
    const shards = index === undefined ? undefined : shardsOf(all, name);
    if (index !== undefined && shards !== undefined) return [index, ...shards];
  }
}

/** `name-00001-of-00003.safetensors` and the others; undefined where one of them is missing. */
function shardsOf(all: ReadonlySet<string>, name: string): readonly string[] | undefined {
  const shards = [...all].filter((path) =>
    path.startsWith(`${name}-`) && /^\d{5}-of-\d{5}\.safetensors$/.test(path.slice(name.length + 1))
  ).sort();
  const count = shards.length === 0 ? 0 : Number(/-of-(\d{5})\.safetensors$/.exec(shards[0])?.[1]);
  return count === shards.length && count > 0 ? shards : undefined;
}

const LONGEST_LIST = 20;

function listed(paths: readonly string[]): string {
  const rest = paths.length - LONGEST_LIST;
  return paths.slice(0, LONGEST_LIST).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
