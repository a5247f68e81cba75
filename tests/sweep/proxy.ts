/** A line on loopback that can be cut: by silence, as a router that fails, or by closing it. */

export interface Line extends AsyncDisposable {
  readonly port: number;
  /** Nothing goes through any more; connections stay open, and new ones are taken. */
  silence(): void;
  /** What came meanwhile goes on. */
  restore(): void;
  /** What was connected stays silent for ever; new connections go through. */
  abandon(): void;
  /** Ends what is connected; new connections go through. */
  cut(): void;
}

interface Pipe {
  silent: "no" | "now" | "for ever";
  readonly ends: readonly Deno.Conn[];
}

/** Forwards a free port to another. */
export function lineTo(port: number): Line {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const pipes = new Set<Pipe>();
  let silent = false;
  let wake: (() => void)[] = [];
  const wakeAll = () => {
    for (const one of wake.splice(0)) one();
  };
  const carry = async (from: Deno.Conn, to: Deno.Conn, pipe: Pipe) => {
    const buffer = new Uint8Array(65536);
    try {
      for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
        while (pipe.silent !== "no") await new Promise<void>((resolve) => (wake = [...wake, resolve]));
        for (let written = 0; written < read;) written += await to.write(buffer.subarray(written, read));
      }
    } catch {
      // one end is gone
    }
    close(pipe);
  };
  const close = (pipe: Pipe) => {
    if (!pipes.delete(pipe)) return;
    for (const end of pipe.ends) end.close();
  };
  (async () => {
    for await (const near of listener) {
      try {
        const far = await Deno.connect({ hostname: "127.0.0.1", port });
        const pipe: Pipe = { silent: silent ? "now" : "no", ends: [near, far] };
        pipes.add(pipe);
        carry(near, far, pipe);
        carry(far, near, pipe);
      } catch {
        near.close(); // the other side is down
      }
    }
  })();
  return {
    port: listener.addr.port,
    silence() {
      silent = true;
      for (const pipe of pipes) if (pipe.silent === "no") pipe.silent = "now";
    },
    restore() {
      silent = false;
      for (const pipe of pipes) if (pipe.silent === "now") pipe.silent = "no";
      wakeAll();
    },
    abandon() {
      silent = false;
      for (const pipe of pipes) pipe.silent = "for ever";
    },
    cut() {
      for (const pipe of pipes) close(pipe);
      wakeAll();
    },
    [Symbol.asyncDispose]() {
      listener.close();
      for (const pipe of pipes) {
        pipe.silent = "no";
        close(pipe);
      }
      wakeAll();
      return Promise.resolve();
    },
  };
}
