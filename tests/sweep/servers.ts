/** Servers that tests start on free loopback ports, and stop. Their data lies in folders that are gone afterwards. */

import { join } from "node:path";

/** The programs, as far as they are installed. */
export const REDIS = await programIn(["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"], "redis-server");
export const OPENSSL = await programIn(["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"], "openssl");
export const POSTGRES = await postgresFolder();

/** Why a test is left out, once a run. */
export function skipReason(name: string, found: string | undefined, packageName: string): boolean {
  if (found === undefined) console.log(`skipped: ${name} is not installed (Debian: apt install ${packageName})`);
  return found === undefined;
}

export interface Server extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Ends it at once, as by SIGKILL, and starts it again on the same port with what it had written. */
  restart(): Promise<void>;
}

/** Of two listeners at once, one gets another port. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

export interface RedisOptions {
  /** "aof": every write is in a file before it is answered. Default "memory". */
  readonly keeps?: "aof" | "memory";
  readonly password?: string;
  /** Of redis-server, beside these. */
  readonly args?: readonly string[];
}

/** Starts Redis. */
export async function startRedis({ keeps = "memory", password, args: more = [] }: RedisOptions = {}): Promise<Server> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-redis-" });
  const port = freePort();
  const args = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", "", ...more];
  if (keeps === "aof") args.push("--appendonly", "yes", "--appendfsync", "everysec");
  if (password !== undefined) args.push("--requirepass", password);
  const start = () => started(REDIS ?? "redis-server", args, port);
  return await serving(start, {
    port,
    url: `redis://${password === undefined ? "" : `:${password}@`}127.0.0.1:${port}`,
    folder,
  });
}

/** What `start` starts, until it is disposed of, and its folder with it. */
async function serving(
  start: () => Promise<Deno.ChildProcess>,
  { port, url, folder }: { readonly port: number; readonly url: string; readonly folder: string },
): Promise<Server> {
  let process = await start();
  return {
    port,
    url,
    async restart() {
      await ended(process);
      process = await start();
    },
    async [Symbol.asyncDispose]() {
      await ended(process);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Starts PostgreSQL with a database of its own. It does not run as root: then as "nobody". */
export async function startPostgres(): Promise<Server> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-postgres-" });
  const nobody = { uid: 65534, gid: 65534 };
  const user = Deno.build.os !== "windows" && Deno.uid() === 0 ? nobody : {};
  if (user === nobody) await Deno.chown(folder, nobody.uid, nobody.gid);
  const data = join(folder, "data");
  const options = { stdout: "piped", stderr: "piped", cwd: folder, ...user } as const;
  const made = await new Deno.Command(join(POSTGRES ?? "", "initdb"), {
    args: ["-D", data, "-U", "tests", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"],
    ...options,
  }).output();
  if (!made.success) throw new Error(new TextDecoder().decode(made.stderr));
  const port = freePort();
  const args = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", folder, "-F"];
  const start = () => started(join(POSTGRES ?? "", "postgres"), args, port, user);
  return await serving(start, { port, url: `postgres://tests@127.0.0.1:${port}/postgres`, folder });
}

/** A server of S3 with an empty bucket "sweeps"; its address and keys are in the environment until it ends. */
export async function startS3(): Promise<Server> {
  const folder = await Deno.makeTempDir({ prefix: "fewstep-s3-" });
  const port = freePort();
  const args = ["run", "--quiet", "-A", "npm:s3rver@3.7.1", "-d", folder, "-p", String(port)];
  const all = [...args, "-a", "127.0.0.1", "--configure-bucket", "sweeps", "--silent"];
  const url = `http://127.0.0.1:${port}`;
  const start = async () => {
    const process = await started(Deno.execPath(), all, port);
    for (let tries = 0; tries < 100; tries++) { // the bucket is made a little after it listens
      const { ok, body } = await fetch(`${url}/sweeps`).catch(() => ({ ok: false, body: null }));
      await body?.cancel();
      if (ok) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return process;
  };
  let process = await start();
  const environment = { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };
  for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
  return {
    port,
    url,
    async restart() {
      await ended(process);
      process = await start();
    },
    async [Symbol.asyncDispose]() {
      for (const name of Object.keys(environment)) Deno.env.delete(name);
      await ended(process);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Starts a server and waits until it listens. */
async function started(
  program: string,
  args: readonly string[],
  port: number,
  user: { readonly uid?: number; readonly gid?: number } = {},
): Promise<Deno.ChildProcess> {
  const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
  const process = new Deno.Command(program, { args: [...args], ...quiet, ...user }).spawn();
  for (let tries = 0; tries < 600; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      await new Promise((resolve) => setTimeout(resolve, 100)); // it answers a little after it listens
      return process;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  process.kill("SIGKILL");
  throw new Error(`Cannot start ${program}: it does not listen on port ${port}.`);
}

/** Ends a process at once, as by SIGKILL. */
export async function ended(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGKILL");
  } catch {
    // it is gone already
  }
  await process.status;
}

async function programIn(folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    if (await isThere(path)) return path;
  }
  return undefined;
}

/** Where initdb and postgres are: Debian keeps them by version. */
async function postgresFolder(): Promise<string | undefined> {
  const root = "/usr/lib/postgresql";
  const versions = await isThere(root) ? [...Deno.readDirSync(root)].map(({ name }) => name) : [];
  for (const version of versions.toSorted((a, b) => Number(b) - Number(a))) {
    const folder = join(root, version, "bin");
    if (await isThere(join(folder, "initdb"))) return folder;
  }
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
