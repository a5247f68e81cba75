/** The thread that ends the process at the second Ctrl-C, whatever the main one is busy with. See interrupt.ts. */

/// <reference lib="deno.worker" />

const LIBRARY: Readonly<Record<string, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
  windows: "msvcrt.dll",
};

const { symbols } = Deno.dlopen(LIBRARY[Deno.build.os] ?? "libc.so", {
  _exit: { parameters: ["i32"], result: "void" },
});

let asked = 0;
self.onmessage = () => asked++;

function listen(signal: Deno.Signal, code: number): void {
  Deno.addSignalListener(signal, () => {
    if (++asked > 1) symbols._exit(code);
  });
}

listen("SIGINT", 130);
if (Deno.build.os !== "windows") listen("SIGTERM", 143);
self.postMessage("listens");
