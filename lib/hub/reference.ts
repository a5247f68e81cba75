/**
 * What names a checkpoint on the hub: `org/name`, `org/name:path/in/repo.safetensors`, `org/name@revision:file`, or the
 * address of a page of the hub. Everything that later becomes a path on this disk is checked here, by the rules of
 * POSIX and of Windows at once: a cache may be carried from one to the other.
 */

import { pathFault } from "../weights/paths.ts";

export { pathFault } from "../weights/paths.ts";

export const DEFAULT_ENDPOINT = "https://huggingface.co";

/** Hosts that serve the hub's pages beside the endpoint's own. */
const HUB_HOSTS: readonly string[] = ["huggingface.co", "www.huggingface.co", "hf.co"];

/** The hub's own limit on the name of a repository. */
const LONGEST_REPO = 96;

const FORMS = "org/name, org/name:file.safetensors, org/name@revision:file.safetensors or a page of the hub";

export interface Reference {
  /** "stabilityai/sdxl-turbo" */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Path in the repository, or undefined for the whole model. */
  readonly file: string | undefined;
}

export interface ParseOptions {
  /** Address of the hub, whose pages are read too. Default huggingface.co. */
  readonly endpoint?: string;
}

/**
 * Reads a reference. Whether a file or folder of that name lies on this disk is not looked at: callers ask that first,
 * as a local path wins.
 *
 * @throws SyntaxError, one sentence: what is wrong, which forms are right
 */
export function parseReference(text: string, { endpoint = DEFAULT_ENDPOINT }: ParseOptions = {}): Reference {
  const refuse = (fault: string) =>
    new SyntaxError(`Cannot use ${JSON.stringify(text)} as a model of the hub: ${fault}. Wanted is ${FORMS}.`);
  let parts: Parts;
  try {
    parts = split(text, endpoint);
  } catch (error) {
    if (error instanceof Fault) throw refuse(error.message);
    throw error;
  }
  const { repo, revision = "main", file } = parts;
  const fault = repoFault(repo) ?? revisionFault(revision) ?? (file === undefined ? undefined : pathFault(file));
  if (fault !== undefined) throw refuse(fault);
  return { repo, revision, file };
}

/** The shortest text that reads back as the reference. */
export function formatReference({ repo, revision, file }: Reference): string {
  return repo + (revision === "main" ? "" : `@${revision}`) + (file === undefined ? "" : `:${file}`);
}

/** Whether a revision is a full commit hash, which never changes its meaning. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

class Fault extends Error {}

interface Parts {
  readonly repo: string;
  readonly revision?: string;
  readonly file?: string;
}

function split(text: string, endpoint: string): Parts {
  if (/^hf:\/\//i.test(text)) return splitHf(text.slice("hf://".length));
  if (/^https?:\/\//i.test(text)) return splitPage(text, endpoint);
  const [, repo = "", revision, file] = /^([^:@]*)(?:@([^:]*))?(?::(.*))?$/s.exec(text) ?? [];
  return { repo, revision, file };
}

/** hf://org/name@revision/path/in/repo, as huggingface_hub's file system writes it. */
function splitHf(rest: string): Parts {
  const segments = rest.split("/");
  if (segments[0] === "models") segments.shift();
  const [org = "", named = "", ...file] = segments;
  const [name, revision, ...more] = named.split("@");
  if (more.length > 0) throw new Fault("it has more than one @");
  return {
    repo: `${decode(org)}/${decode(name)}`,
    // The revision of a pull request has slashes, encoded: refs%2Fpr%2F1.
    revision: revision === undefined ? undefined : decodeAll(revision),
    file: file.length === 0 ? undefined : file.map(decode).join("/"),
  };
}

function splitPage(text: string, endpoint: string): Parts {
  if (!URL.canParse(text)) throw new Fault("it is no valid address");
  const page = new URL(text);
  const home = new URL(endpoint);
  if (page.host !== home.host && !HUB_HOSTS.includes(page.host)) throw new Fault(`${page.host} is not the hub`);
  const prefix = page.host === home.host ? home.pathname.replace(/\/$/, "") : "";
  if (!page.pathname.startsWith(`${prefix}/`)) throw new Fault("it is no page of a model");
  const path = page.pathname.slice(prefix.length + 1).replace(/\/$/, "");
  const [org = "", name = "", view, rawRevision, ...rest] = path.split("/");
  const repo = `${decode(org)}/${decode(name)}`;
  const kind = otherKind(repo);
  if (kind !== undefined) throw new Fault(kind);
  if (view === undefined) return { repo };
  const revision = rawRevision === undefined ? undefined : decodeAll(rawRevision);
  const file = rest.length === 0 ? undefined : rest.map(decode).join("/");
  if (view === "tree" && file === undefined) return { repo, revision };
  if (["blob", "resolve", "raw"].includes(view) && file !== undefined) return { repo, revision, file };
  throw new Fault(view === "tree" ? "it is the page of a folder" : "it is no page of a model or of its file");
}

function decodeAll(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Fault("its percent signs do not decode");
  }
}

/** One segment of an address; what decodes to a slash would be another path than the one that was read. */
function decode(segment: string): string {
  const decoded = decodeAll(segment);
  if (decoded.includes("/")) throw new Fault("it hides a slash behind %2F");
  return decoded;
}

const OTHER_KINDS: Readonly<Record<string, string>> = {
  datasets: "a data set",
  spaces: "a space",
  buckets: "a bucket",
  kernels: "a kernel",
};

function otherKind(repo: string): string | undefined {
  const [first] = repo.split("/");
  return Object.hasOwn(OTHER_KINDS, first) ? `it names ${OTHER_KINDS[first]}, not a model` : undefined;
}

function repoFault(repo: string): string | undefined {
  const kind = otherKind(repo);
  if (kind !== undefined) return kind;
  const segments = repo.split("/");
  const shown = JSON.stringify(repo);
  if (segments.length !== 2 || segments.includes("")) return `${shown} is not of the form org/name`;
  if (repo.length > LONGEST_REPO) return `the name has ${repo.length} letters, the hub allows ${LONGEST_REPO}`;
  for (const segment of segments) {
    // "--" stands for the slash in the cache's folder names.
    const allowed = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(segment);
    if (!allowed || segment.includes("--") || segment.includes("..") || segment.endsWith(".git")) {
      return `${JSON.stringify(segment)} is no name on the hub (letters, digits, "-", "_", "."; no "--" or "..")`;
    }
  }
}

function revisionFault(revision: string): string | undefined {
  if (!/^[A-Za-z0-9._/+-]+$/.test(revision)) return `${JSON.stringify(revision)} is no branch, tag or commit`;
  return pathFault(revision);
}
