/** A peer that stays alive and is asked turn by turn: a line of text brings a line of JSON, and between them it rests. */

import * as v from "valibot";
import type { Cost } from "./harness.ts";

const costSchema = v.object({ wall: v.number(), processor: v.number() });

/**
 * A peer's environment: ours without the allocator's settings. The kit's tasks make malloc give large blocks back at once,
 * which the kit does not feel and torch does: its steps take 1.4 times as long.
 */
export function peerEnvironment(): { readonly clearEnv: true; readonly env: Record<string, string> } {
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !/^(MALLOC_|GLIBC_TUNABLES)/.test(name));
  return { clearEnv: true, env: Object.fromEntries(env) };
}

export class Peer {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.#reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts it and waits for its first line, in which it tells its versions. */
  static async start(command: string, args: readonly string[]): Promise<{ peer: Peer; versions: unknown }> {
    const pipes = { stdin: "piped", stdout: "piped", stderr: "inherit" } as const;
    const peer = new Peer(new Deno.Command(command, { args: [...args], ...pipes, ...peerEnvironment() }).spawn());
    return { peer, versions: await peer.#line() };
  }

  async ask(line: string): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    return await this.#line();
  }

  /** What the peer says that something took. */
  async cost(line: string): Promise<Cost> {
    return v.parse(costSchema, await this.ask(line));
  }

  async end(): Promise<void> {
    await this.#writer.close();
    await this.#process.status;
  }

  async #line(): Promise<unknown> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("The peer ended early: see its lines above.");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return JSON.parse(line);
  }
}
