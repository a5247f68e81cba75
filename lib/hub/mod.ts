/**
 * Checkpoints by name. Nothing here touches the network until `pull` is called, or `resolveModelPath` with `pull`.
 */

export { formatBytes } from "./faults.ts";
export type { Retry } from "./patience.ts";
export type { PullProgress } from "./progress.ts";
export { pull, type Pulled, type PulledFile, pullFiles, type PullOptions } from "./pull.ts";
export { formatReference, parseReference, type Reference } from "./reference.ts";
export { resolveModelPath, type ResolveOptions } from "./resolve.ts";
export type { HubOptions } from "./settings.ts";
