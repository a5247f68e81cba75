/**
 * A hub on a free port of this machine, with its storage on another: the part of the hub's API that a pull needs, and
 * every way to answer it badly. Large files (those given as LFS) are redirected to the storage, small ones to another
 * address of the hub itself, as the hub does.
 */

import { createHash } from "node:crypto";

export interface Seen {
  readonly at: "hub" | "storage";
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** What goes wrong with an answer. */
export interface Trouble {
  /** The connection breaks before this byte of the file. */
  readonly cutAt?: number;
  /** Another answer altogether. */
  readonly response?: Response;
  /** Nothing more comes after this byte of the file, and the connection stays open. */
  readonly stallAt?: number;
  /** The whole file comes, whatever range was asked for. */
  readonly ignoreRange?: boolean;
  /** Other bytes than those that are listed. */
  readonly content?: Uint8Array<ArrayBuffer>;
}

export interface RepoFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lfs?: boolean;
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
export const REPO = "org/model";
const SMALL_FILES = `/api/resolve-cache/models/${REPO}/`;

/** Bytes that look random, and are the same each time. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  return Uint8Array.from({ length }, () => next() * 256);
}

/** Numbers in 0..1. A linear congruential generator with Numerical Recipes' constants. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function gitHash(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

export const hashOf = ({ bytes, lfs }: RepoFile) => lfs ? sha256Of(bytes) : gitHash(bytes);

export class TestHub implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Asked before each answer; nothing means that all goes well. */
  trouble: (seen: Seen) => Trouble | undefined | Promise<Trouble | undefined> = () => undefined;
  /** Entries of a listing's page. */
  pageSize = 1000;
  commit = COMMIT;
  readonly #files: RepoFile[];
  readonly #hub = this.#serve("hub");
  readonly #storage = this.#serve("storage");
  readonly #stalled = new AbortController();

  constructor(files: readonly RepoFile[]) {
    this.#files = [...files];
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  get storage(): string {
    return `http://127.0.0.1:${this.#storage.addr.port}`;
  }

  file(path: string): RepoFile {
    const file = this.#files.find((file) => file.path === path);
    if (file === undefined) throw new Error(`the test hub has no ${path}`);
    return file;
  }

  replace(file: RepoFile): void {
    this.#files.splice(this.#files.findIndex(({ path }) => path === file.path), 1, file);
  }

  /** Requests for the bytes of files. */
  get transfers(): Seen[] {
    return this.seen.filter(({ path }) => path.startsWith("/storage/") || path.includes("/resolve/"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stalled.abort();
    await Promise.all([this.#hub.shutdown(), this.#storage.shutdown()]);
  }

  #serve(at: Seen["at"]): Deno.HttpServer<Deno.NetAddr> {
    // A cut connection is an error inside the server too: it was meant.
    const onError = () => new Response(null, { status: 500 });
    return Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {}, onError },
      (request) => this.#answer(at, request),
    );
  }

  async #answer(at: Seen["at"], request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const seen: Seen = {
      at,
      method: request.method,
      path: pathname + search,
      range: header("range"),
      authorization: header("authorization"),
    };
    this.seen.push(seen);
    const trouble = await this.trouble(seen) ?? {};
    if (trouble.response !== undefined) return trouble.response;
    if (at === "storage") {
      const file = this.#files.find((file) => hashOf(file) === pathname.split("/")[2]);
      return file === undefined ? new Response(null, { status: 404 }) : this.#send(file, request, trouble);
    }
    const api = `/api/models/${REPO}/`;
    if (pathname.startsWith(`${api}revision/`)) return Response.json(this.#info());
    if (pathname === `${api}tree/${this.commit}`) return this.#tree(new URL(request.url));
    if (pathname === `${api}paths-info/${this.commit}`) return this.#pathsInfo(await request.json());
    const resolve = `/${REPO}/resolve/`;
    if (pathname.startsWith(resolve)) {
      const [, ...path] = pathname.slice(resolve.length).split("/");
      return this.#resolve(path.map(decodeURIComponent).join("/"));
    }
    if (pathname.startsWith(SMALL_FILES)) {
      const path = decodeURIComponent(pathname.slice(SMALL_FILES.length));
      return this.#send(this.file(path), request, trouble, new Headers({ "x-repo-commit": this.commit }));
    }
    return refuse(404, "RepoNotFound");
  }

  #info(): Record<string, unknown> {
    return { _id: "1", id: REPO, sha: this.commit, private: false, gated: false, lastModified: "2026-01-01" };
  }

  #entry(file: RepoFile): Record<string, unknown> {
    const { path, bytes, lfs } = file;
    const pointer = { type: "file", path, size: bytes.length, oid: gitHash(bytes) };
    return lfs ? { ...pointer, lfs: { oid: sha256Of(bytes), size: bytes.length, pointerSize: 134 } } : pointer;
  }

  #tree(url: URL): Response {
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const folders = new Set(this.#files.flatMap(({ path }) => path.includes("/") ? [path.split("/")[0]] : []));
    const all: Record<string, unknown>[] = [
      ...[...folders].map((path) => ({ type: "directory", path, size: 0, oid: gitHash(new Uint8Array()) })),
      ...this.#files.map((file) => this.#entry(file)),
    ];
    if (url.searchParams.get("recursive") !== "true") all.splice(0, all.length, ...all.filter(atTop));
    const headers = new Headers();
    if (from + this.pageSize < all.length) {
      url.searchParams.set("cursor", String(from + this.pageSize));
      headers.set("link", `<${url.href}>; rel="next"`);
    }
    return Response.json(all.slice(from, from + this.pageSize), { headers });
  }

  #pathsInfo({ paths }: { paths: string[] }): Response {
    const files = this.#files.filter(({ path }) => paths.includes(path)).map((file) => this.#entry(file));
    const folders = paths.filter((path) => this.#files.some((file) => file.path.startsWith(`${path}/`)));
    return Response.json([...files, ...folders.map((path) => ({ type: "directory", path, size: 0 }))]);
  }

  #resolve(path: string): Response {
    const file = this.#files.find((file) => file.path === path);
    if (file === undefined) return refuse(404, "EntryNotFound");
    const headers = new Headers({ "x-repo-commit": this.commit });
    if (!file.lfs) {
      headers.set("location", SMALL_FILES + encodeURIComponent(path));
      return new Response(null, { status: 307, headers });
    }
    headers.set("x-linked-etag", `"${hashOf(file)}"`);
    headers.set("x-linked-size", String(file.bytes.length));
    headers.set("location", `${this.storage}/storage/${hashOf(file)}?signature=secret-signature`);
    return new Response(null, { status: 302, headers });
  }

  #send(file: RepoFile, request: Request, trouble: Trouble, headers = new Headers()): Response {
    const bytes = trouble.content ?? file.bytes;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "") ?? [];
    const ranged = first !== undefined && !trouble.ignoreRange;
    const start = ranged ? Number(first) : 0;
    if (start >= bytes.length && ranged) return new Response(null, { status: 416 });
    const end = ranged ? Math.min(Number(last) + 1, bytes.length) : bytes.length;
    headers.set("etag", `"${hashOf(file)}"`);
    headers.set("accept-ranges", "bytes");
    headers.set("content-length", String(end - start));
    if (ranged) headers.set("content-range", `bytes ${start}-${end - 1}/${bytes.length}`);
    const status = ranged ? 206 : 200;
    if (request.method === "HEAD") return new Response(null, { status, headers });
    return new Response(this.#body(bytes, start, end, trouble), { status, headers });
  }

  /** In pieces, as a network delivers; broken off or halted where the trouble says. */
  #body(
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
    { cutAt = Infinity, stallAt = Infinity }: Trouble,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    let at = start;
    const stalled = this.#stalled.signal;
    return new ReadableStream({
      async pull(controller) {
        const stop = Math.min(end, at + 4096, ...[cutAt, stallAt].filter((byte) => byte >= at));
        if (at === stallAt) await new Promise((resolve) => stalled.addEventListener("abort", resolve));
        if (at === cutAt) return controller.error(new Error("cut"));
        if (at === end) return controller.close();
        controller.enqueue(bytes.subarray(at, stop));
        at = stop;
      },
    });
  }
}

const atTop = ({ path }: Record<string, unknown>) => typeof path === "string" && !path.includes("/");

export function refuse(status: number, code?: string, headers: Record<string, string> = {}): Response {
  return new Response(null, { status, headers: code === undefined ? headers : { ...headers, "x-error-code": code } });
}
