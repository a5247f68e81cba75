/** `deno task inspect PATH`: what a checkpoint or a LoRA holds, and how to run it. */

import { type Command, main } from "./args.ts";

export const inspectCommand: Command = {
  name: "inspect",
  about:
    "Says what a checkpoint or a LoRA holds, what it was likely distilled to, and how to run it. Reads headers alone, but for --hash.",
  positional: {
    value: "PATH",
    about: "a diffusers folder, a .safetensors file, or the name of one in the hub's cache",
  },
  stops: "at once",
  options: {
    json: { about: "print one JSON object, the whole report" },
    devices: { about: "say for each device and precision which operators the networks would become, and why" },
    hash: { about: "read the files whole and tell them by sha256; seconds a gigabyte" },
    keys: { about: "list every missing, unknown and unread tensor, not the first few" },
  },
  examples: [
    "deno task inspect models/pocket/base",
    "deno task inspect models/pocket/lightning_4step_unet.safetensors --json",
  ],
  async run(args) {
    const given = args.positional("PATH", "a diffusers folder or a .safetensors file, for example models/pocket/base");
    const { inspect } = await import("../model/inspect/inspect.ts");
    const { resolveModelPath } = await import("../hub/resolve.ts");
    const inspection = await inspect(await resolveModelPath(given), { hash: args.has("hash") ? "computed" : "told" });
    if (args.has("json")) return console.log(JSON.stringify(inspection, null, 2));
    const { inspectionText } = await import("../view/inspection.ts");
    const keys = args.has("keys") ? "all" : "some";
    console.log(inspectionText(inspection, { keys, devices: args.has("devices") ? "all" : "names" }));
  },
};

if (import.meta.main) await main(inspectCommand);
