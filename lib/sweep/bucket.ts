/**
 * Files of cells in a bucket that speaks S3: AWS's, or another's by AWS_ENDPOINT_URL. Credentials, region and endpoint
 * come from the environment, as for every tool of AWS.
 */

import { join } from "node:path";
import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { sha256 } from "../weights/digest.ts";
import { kindOf, makeFolder, writeWhole } from "../weights/files.ts";
import { type Files, FOLDERS, type Kind, nameOf } from "./files.ts";

/** Objects that are asked for or brought at once. */
const AT_ONCE = 8;

/** From so many names on, listing the bucket (1,000 names an answer) is faster than asking for each. */
const MANY = 64;

export class BucketFiles implements Files {
  readonly #client: S3Client;
  readonly #bucket: string;
  /** "" or "…/" */
  readonly #prefix: string;
  readonly #local: string;

  private constructor(client: S3Client, bucket: string, prefix: string, local: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#local = local;
  }

  /**
   * @param place "s3://BUCKET" or "s3://BUCKET/PREFIX"
   * @param local where files are read on this machine. Default: a temporary folder, which files only pass through
   * @throws an error whose message is one sentence: not such a text, or the bucket cannot be reached
   */
  static async open(place: string, local?: string): Promise<BucketFiles> {
    const [, bucket, prefix = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(place) ?? [];
    if (bucket === undefined) {
      throw new SyntaxError(`Cannot keep files in ${place}: s3://BUCKET or s3://BUCKET/PREFIX was wanted.`);
    }
    const endpoint = Deno.env.get("AWS_ENDPOINT_URL_S3") ?? Deno.env.get("AWS_ENDPOINT_URL");
    const client = new S3Client({
      region: Deno.env.get("AWS_REGION") ?? Deno.env.get("AWS_DEFAULT_REGION") ?? "us-east-1",
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }), // few others serve a host name per bucket
      // AWS checks what it gets by newer checksums, which not every other server understands.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
    const folder = local ?? await Deno.makeTempDir({ prefix: "fewstep-files-" });
    for (const name of Object.values(FOLDERS)) await makeFolder(join(folder, name));
    const files = new BucketFiles(client, bucket, prefix === "" ? "" : `${prefix.replace(/\/+$/, "")}/`, folder);
    await files.#tried("reach", () => client.send(new HeadBucketCommand({ Bucket: bucket })));
    return files;
  }

  path(kind: Kind, digest: string): string {
    return join(this.#local, nameOf(kind, digest));
  }

  async kept(names: readonly string[]): Promise<ReadonlySet<string>> {
    if (names.length > MANY) return await this.#listed(new Set(names));
    const found = new Set<string>();
    await inTurn(names, async (name) => {
      if (await this.#has(name)) found.add(name);
    });
    return found;
  }

  async put(kind: Kind, digest: string, write: (path: string) => Promise<void>): Promise<void> {
    const name = nameOf(kind, digest);
    if (await this.#has(name)) return;
    const temporary = this.#temporary(kind);
    try {
      await write(temporary);
      await this.#send(name, temporary);
    } finally {
      await remove(temporary);
    }
  }

  async putHashed(kind: Kind, write: (path: string) => Promise<void>): Promise<string> {
    const temporary = this.#temporary(kind);
    try {
      await write(temporary);
      const digest = await sha256(temporary);
      await this.#send(nameOf(kind, digest), temporary);
      return digest;
    } finally {
      await remove(temporary);
    }
  }

  async fetch(names: readonly string[]): Promise<void> {
    await inTurn(names, async (name) => {
      const path = join(this.#local, name);
      if (await kindOf(path) === "file") return;
      await this.#tried(`bring ${name} from`, async () => {
        const { Body: body } = await this.#client.send(
          new GetObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + name }),
        );
        if (body === undefined) throw new Error("it came without content");
        await writeWhole(path, await body.transformToByteArray());
      });
    });
  }

  /** The object is there whole or not at all; one that is there already stays. */
  async #send(name: string, path: string): Promise<void> {
    const body = await Deno.readFile(path);
    await this.#tried(`put ${name} into`, async () => {
      try {
        await this.#client.send(
          new PutObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + name, Body: body, IfNoneMatch: "*" }),
        );
      } catch (error) {
        if (statusOf(error) !== 412) throw error; // 412: another one put it since it was looked for
      }
    });
  }

  async #has(name: string): Promise<boolean> {
    return await this.#tried(`look for ${name} in`, async () => {
      try {
        await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + name }));
        return true;
      } catch (error) {
        if (statusOf(error) === 404) return false;
        throw error;
      }
    });
  }

  async #listed(wanted: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const folder of Object.values(FOLDERS)) {
      let next: string | undefined;
      do {
        const page = await this.#tried("list", () =>
          this.#client.send(
            new ListObjectsV2Command({
              Bucket: this.#bucket,
              Prefix: `${this.#prefix}${folder}/`,
              ContinuationToken: next,
            }),
          ));
        for (const { Key: key = "" } of page.Contents ?? []) {
          const name = key.slice(this.#prefix.length);
          if (wanted.has(name)) found.add(name);
        }
        next = page.NextContinuationToken;
      } while (next !== undefined);
    }
    return found;
  }

  #temporary(kind: Kind): string {
    return join(this.#local, FOLDERS[kind], `.${crypto.randomUUID()}.incomplete`);
  }

  async #tried<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const why = error instanceof Error ? error.message || error.name : String(error);
      throw new Error(
        `Cannot ${what} the bucket ${this.#bucket}: ${why}. Wanted are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ` +
          `AWS_REGION and, beside AWS, AWS_ENDPOINT_URL of a bucket that is there.`,
        { cause: error },
      );
    }
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // it was never written
  }
}

/** A few at a time. */
async function inTurn<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const item of left) await action(item);
  }));
}
