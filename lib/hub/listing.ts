/** What the hub says a repository holds. Requests and pages by `@huggingface/hub`, what comes back checked here. */

import * as v from "valibot";
import type { Client } from "./client.ts";
import { formatReference, isCommit, pathFault, type Reference } from "./reference.ts";

/** More than any checkpoint has; data sets, which have more, are not pulled. */
const MOST_FILES = 20_000;
/** That many files in the hub's smallest pages, of 50. */
const MOST_PAGES = 400;

/** What a file's content hashes to: sha256 for large files, git's object id (sha1 of a header and the bytes) else. */
export interface ContentHash {
  readonly kind: "sha256" | "git";
  readonly hex: string;
}

export interface HubFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Its hex is the name of the blob in the cache, and the hub's ETag. */
  readonly hash: ContentHash;
}

const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const entry = v.object({
  type: v.string(),
  path: v.string(),
  size: v.optional(size, 0),
  oid: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/))),
  lfs: v.nullish(v.object({ oid: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), size })),
});

const info = v.object({ sha: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)) });

/** The commit that the reference's revision means now. */
export async function commitOf(client: Client, reference: Reference): Promise<string> {
  const { repo, revision } = reference;
  if (isCommit(revision)) return revision;
  const { modelInfo } = await import("@huggingface/hub");
  const answer = await understood(reference, () =>
    modelInfo({
      name: repo,
      revision,
      hubUrl: client.endpoint,
      fetch: client.fetchFor(reference),
      additionalFields: ["sha"],
    }));
  return parsed(info, answer, reference).sha;
}

/** Every file of the repository at a commit. */
export async function listAll(client: Client, reference: Reference, commit: string): Promise<HubFile[]> {
  const { listFiles } = await import("@huggingface/hub");
  const { repo } = reference;
  return await understood(reference, async () => {
    const files: HubFile[] = [];
    let [pages, seen] = [0, 0];
    const ask = client.fetchFor(reference);
    const limited: typeof fetch = (input, init) => {
      if (++pages > MOST_PAGES) throw tooMany(reference);
      return ask(input, init);
    };
    const entries = listFiles({ repo, revision: commit, recursive: true, hubUrl: client.endpoint, fetch: limited });
    for await (const raw of entries) {
      if (++seen > MOST_FILES) throw tooMany(reference);
      const file = fileOf(raw, reference);
      if (file !== undefined) files.push(file);
    }
    return files;
  });
}

/** Some files of the repository, in the order in which they are named. @throws Error naming the one that it lacks */
export async function listNamed(
  client: Client,
  reference: Reference,
  commit: string,
  names: readonly string[],
): Promise<HubFile[]> {
  const { pathsInfo } = await import("@huggingface/hub");
  const { repo } = reference;
  const entries = await understood(reference, () =>
    pathsInfo({
      repo,
      revision: commit,
      paths: [...names],
      hubUrl: client.endpoint,
      fetch: client.fetchFor(reference),
    }));
  const files = entries.map((raw) => fileOf(raw, reference));
  return names.map((name) => {
    const file = files.find((file) => file?.path === name);
    if (file !== undefined) return file;
    const what = entries.some(({ path }) => path === name)
      ? "that is a folder, a file was wanted"
      : "it has no such file";
    throw new Error(
      `Cannot pull ${formatReference({ ...reference, file: name })}: ${what}. ` +
        `See ${client.endpoint}/${repo}/tree/${reference.revision}.`,
    );
  });
}

function fileOf(raw: unknown, reference: Reference): HubFile | undefined {
  const { type, path, size, oid, lfs } = parsed(entry, raw, reference);
  if (type !== "file") return undefined;
  const fault = pathFault(path);
  if (fault !== undefined) throw new RangeError(`Cannot pull ${formatReference(reference)}: in it, ${fault}.`);
  if (lfs) return { path, size: lfs.size, hash: { kind: "sha256", hex: lfs.oid } };
  if (oid !== undefined) return { path, size, hash: { kind: "git", hex: oid } };
  throw new SyntaxError(`Cannot pull ${formatReference(reference)}: the hub tells no hash of ${path}.`);
}

function parsed<T>(schema: v.GenericSchema<unknown, T>, value: unknown, reference: Reference): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new SyntaxError(
    `Cannot pull ${formatReference(reference)}: in the hub's answer ${v.getDotPath(issue) ?? "all"} is ` +
      `${issue.received}, wanted is ${issue.expected ?? "another value"}.`,
  );
}

/** The library parses JSON, and reads what it holds, without looking. */
async function understood<T>(reference: Reference, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Cannot pull ")) throw error;
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError) {
      throw new SyntaxError(`Cannot pull ${formatReference(reference)}: the hub's answer is not what a hub sends.`);
    }
    throw error;
  }
}

function tooMany(reference: Reference): RangeError {
  return new RangeError(
    `Cannot pull ${formatReference(reference)}: it holds more than ${MOST_FILES} files; no model does. Name a file.`,
  );
}
