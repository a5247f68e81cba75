import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { type Command, help, type Options, parse, UsageError } from "../../lib/cli/args.ts";
import { outputFiles } from "../../lib/cli/output.ts";

const options: Options = {
  steps: { value: "N", about: "denoising steps" },
  prompt: { value: "TEXT", about: "what to draw" },
  json: { about: "print JSON" },
  lora: { value: "FILE", about: "", multiple: true, refused: "LoRA files cannot be opened yet." },
};

const usage = (message: RegExp) => (error: unknown) => error instanceof UsageError && message.test(error.message);

Deno.test("values are read by name and kind", () => {
  const args = parse(options, ["--steps", "4", "--prompt", "", "--json"]);
  equal(args.number("steps", "a whole number", { whole: true, least: 1 }), 4);
  equal(args.required("prompt", "what to draw"), "", "an empty prompt is a prompt");
  equal(args.has("json"), true);
  equal(parse(options, []).number("steps", "a number"), undefined);
  equal(parse(options, ["--steps=-3"]).text("steps"), "-3");
});

Deno.test("each mistake is one sentence that says what was wanted", () => {
  throws(() => parse(options, ["--step", "4"]), usage(/^Unknown option --step\. Did you mean --steps\?$/));
  throws(() => parse(options, ["--zzzzzzz"]), usage(/^Unknown option --zzzzzzz\. --help lists them\.$/));
  throws(() => parse(options, ["--steps"]), usage(/^Missing value of --steps: N was wanted\.$/));
  throws(() => parse(options, ["--json=1"]), usage(/^Cannot give --json a value/));
  throws(() => parse(options, ["picture.png"]), usage(/^Unexpected "picture\.png"/));
  throws(() => parse(options, ["--steps", "1", "--steps", "2"]), usage(/^Cannot use --steps 2 times/));
  throws(() => parse(options, []).required("prompt", "what to draw"), usage(/^Missing --prompt: what to draw\.$/));
  for (const value of ["0", "1.5", "four", "", "Infinity"]) {
    const args = parse(options, ["--steps", value]);
    throws(
      () => args.number("steps", "a whole number from 1", { whole: true, least: 1 }),
      usage(/a whole number from 1/),
    );
  }
  throws(() => parse(options, ["--prompt", "x"]).oneOf("prompt", ["a", "b"]), usage(/"x": wanted is a, b\.$/));
});

Deno.test("what the kit cannot do yet is refused with its reason, and not in the help", () => {
  throws(
    () => parse(options, ["--lora", "x.safetensors"]),
    usage(/^Cannot use --lora: LoRA files cannot be opened yet\.$/),
  );
  const command: Command = {
    name: "x",
    about: "Does x.",
    options,
    examples: ["deno task x"],
    run: () => Promise.resolve(),
  };
  const text = help(command);
  match(text, /--steps N\s+denoising steps/);
  ok(!text.includes("--lora"));
});

Deno.test("one picture is FILE.png, several are FILE-0.png, FILE-1.png", () => {
  deepEqual(outputFiles("a/b.png", 1), ["a/b.png"]);
  deepEqual(outputFiles("a/b.PNG", 2), ["a/b-0.PNG", "a/b-1.PNG"]);
  throws(() => outputFiles("b.jpg", 1), usage(/ends in \.png or \.webp/));
});
