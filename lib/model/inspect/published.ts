/**
 * Published files told by their content: sha256, whatever they are called and wherever they lie.
 *
 * The hub keeps a large file's sha256 as its name in the store (LFS), so it is a fact of the repository at a revision;
 * the standard cache names the file by it, too, and there it costs nothing to know. Each row was read in a public list:
 * those of refiners in its conversion recipes (https://github.com/finegrain-ai/refiners, MIT, commit 720a91a), the others in
 * catalogues of downloads that name the revision; all but the full 8-step Lightning in two lists or more.
 */

import { basename, dirname } from "node:path";
import { sha256 } from "../../weights/digest.ts";

/** A file as its maker published it. */
export interface PublishedFile {
  /** On the Hugging Face hub, "owner/name". */
  readonly repository: string;
  /** Within it. */
  readonly file: string;
}

/** A file whose hash is known, and what is published under it. */
export interface HashedFile {
  /** Within the inspected folder; a single file's own name. */
  readonly name: string;
  /** In lower-case hex. */
  readonly sha256: string;
  /** Left out where the kit knows no published file of that content. */
  readonly published?: PublishedFile;
}

/**
 * "told": where the hub's cache names a file by its hash; nothing is read. "computed": every file is read whole, which
 * takes seconds a gigabyte.
 */
export type HashHabit = "told" | "computed";

const BASE = "stabilityai/stable-diffusion-xl-base-1.0"; // revision 4621659
const LIGHTNING = "ByteDance/SDXL-Lightning"; // revision c9a24f4

const PUBLISHED: Readonly<Record<string, readonly [repository: string, file: string]>> = {
  "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b": [BASE, "sd_xl_base_1.0.safetensors"],
  "357650fbfb3c7b4d94c1f5fd7664da819ad1ff5a839430484b4ec422d03f710a": [ // refiners
    BASE,
    "unet/diffusion_pytorch_model.safetensors",
  ],
  "1598f3d24932bcfe6634e8b618ea1e30ab1d57f5aad13a6d2de446d2199f2341": [ // refiners
    BASE,
    "vae/diffusion_pytorch_model.safetensors",
  ],
  "1b909373b28f2137098b0fd9dbc6f97f8410854f31f84ddc9fa04b077b0ace2c": [ // refiners
    "madebyollin/sdxl-vae-fp16-fix",
    "diffusion_pytorch_model.safetensors",
  ],
  "e869ac7d6942cb327d68d5ed83a40447aadf20e0c3358d98b2cc9e270db0da26": [ // revision 7115331
    "stabilityai/sdxl-turbo",
    "sd_xl_turbo_1.0_fp16.safetensors",
  ],
  "87e61f60b85d9f1c577bd9053872c7678b7d39f6f52d470081ff6ea3b49ddf98": [LIGHTNING, "sdxl_lightning_2step.safetensors"],
  "e0d996ee0013e79d9d3561f50fcafb9a17e3ff07b780358e3b66d67932c4d490": [LIGHTNING, "sdxl_lightning_4step.safetensors"],
  "43f0501ac4ffcef84f3fc32a47779f24c181647fa97ef7f5ec4428107d732ae9": [LIGHTNING, "sdxl_lightning_8step.safetensors"],
  "14d53ad5b440a37fc0f429d595d96bf144c5dd842aa5747383e6098c9dbfa644": [ // refiners
    LIGHTNING,
    "sdxl_lightning_1step_unet_x0.safetensors",
  ],
  "39a90a8a2a25c1372633c1e8eb1a96f85eab937bcb58cfc6ec9baf66242ec23c": [ // refiners
    LIGHTNING,
    "sdxl_lightning_4step_unet.safetensors",
  ],
  "bf56cf2657efb15e465d81402ed481d1e11c4677e4bcce1bc11fe71ad8506b79": [ // refiners
    LIGHTNING,
    "sdxl_lightning_4step_lora.safetensors",
  ],
  "dce0636b11d99c1d960608bb6fa71923f1ae2365b89a38b49e1a0193a0fc1c43": [ // refiners
    "latent-consistency/lcm-sdxl",
    "diffusion_pytorch_model.safetensors",
  ],
  "a764e6859b6e04047cd761c08ff0cee96413a8e004c9f07707530cd776b19141": [ // refiners, revision a18548d
    "latent-consistency/lcm-lora-sdxl",
    "pytorch_lora_weights.safetensors",
  ],
};

/** What is published under a hash, as far as the kit knows. */
export function publishedUnder(sha256: string): PublishedFile | undefined {
  if (!Object.hasOwn(PUBLISHED, sha256)) return undefined;
  const [repository, file] = PUBLISHED[sha256];
  return { repository, file };
}

/** The hashes of files, by the names that they are told under. @throws an error whose message is one sentence */
export async function hashesOf(
  files: readonly { readonly name: string; readonly path: string }[],
  habit: HashHabit,
): Promise<readonly HashedFile[]> {
  const hashed: HashedFile[] = [];
  for (const { name, path } of files) {
    const digest = await told(path) ?? (habit === "computed" ? await sha256(path) : undefined);
    if (digest === undefined) continue;
    const published = publishedUnder(digest);
    hashed.push({ name, sha256: digest, ...published && { published } });
  }
  return hashed;
}

/** The hub's cache: blobs/HASH, which snapshots/COMMIT/NAME links to. Small files are named by git's hash there. */
async function told(path: string): Promise<string | undefined> {
  const real = await Deno.realPath(path);
  const name = basename(real);
  return basename(dirname(real)) === "blobs" && /^[0-9a-f]{64}$/.test(name) ? name : undefined;
}
