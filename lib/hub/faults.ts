/** One sentence for each way in which a hub or a disk says no. */

import { formatReference, type Reference } from "./reference.ts";

/** Sizes as people say them: 5.14 GB, 10⁹ bytes to the gigabyte, as the hub's pages count. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`;
}

/** What the hub's refusal means: its `X-Error-Code` says more than the status. */
export function refusal(
  reference: Reference,
  { status, code, endpoint, withToken }: {
    readonly status: number;
    readonly code: string | null;
    readonly endpoint: string;
    readonly withToken: boolean;
  },
): Error {
  const { repo, revision, file } = reference;
  const because = (why: string) => new Error(`Cannot pull ${formatReference(reference)}: ${why}`);
  const page = `${endpoint}/${repo}`;
  const gated = withToken
    ? `the account of your token has no access. Log in at ${page}, accept the model's licence there, and try again.`
    : `its licence must be accepted first. Log in at ${page}, accept it there, and set HF_TOKEN to a token of that account.`;
  if (code === "GatedRepo") return because(gated);
  if (code === "DisabledRepo") return because(`the hub has closed it. See ${page}.`);
  if (code === "RevisionNotFound") return because(`it has no branch, tag or commit ${JSON.stringify(revision)}.`);
  if (code === "EntryNotFound") {
    return because(`it has no file ${JSON.stringify(file ?? "")}. See ${page}/tree/${revision}.`);
  }
  if (code === "RepoNotFound" || (code === null && status === 404)) {
    return because(
      `the hub has no public model of that name (${page}). ` +
        `If it is private, set HF_TOKEN to a token of an account that may read it.`,
    );
  }
  if (status === 401 && withToken) return because("the hub does not know your token (HF_TOKEN). Is it still valid?");
  if (status === 401 || status === 403) return because(gated);
  return because(`the hub answered with status ${status}, which was not expected.`);
}

/** One sentence for a disk that does not take what is written. */
export function diskFault(what: string, path: string, error: unknown): Error {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const because = (why: string) => new Error(`Cannot ${what}: ${why}`);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return because(`the disk of ${path} is full. What has arrived is kept: make room and pull again.`);
  }
  if (code === "EROFS") return because(`the disk of ${path} is read-only. HF_HUB_CACHE names another cache.`);
  if (error instanceof Deno.errors.PermissionDenied) {
    return because(`no permission to write ${path}. HF_HUB_CACHE names another cache.`);
  }
  return because(`${path} cannot be written (${error instanceof Error ? error.message : error}).`);
}
