/** Command lines, declared once: what is parsed, what is refused, and what `--help` prints. */

import { parseArgs } from "node:util";
import { onInterrupt, Stopped } from "./interrupt.ts";

/** Something that the user of a command can mend on the command line: exit code 2. */
export class UsageError extends Error {}

export interface Option {
  /** What stands for the value in the help: `FILE`. Without it the option is a switch. */
  readonly value?: string;
  readonly about: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  /** Why the kit cannot do this, and what works instead: the option is refused with this sentence. */
  readonly refused?: string;
}

export type Options = Readonly<Record<string, Option>>;

/** What stands on the command line without a `--`, once. */
export interface Positional {
  /** What stands for it in the help: `PATH`. */
  readonly value: string;
  readonly about: string;
}

export interface Command {
  /** As it is called: "generate". */
  readonly name: string;
  /** What it does, in a sentence or two. */
  readonly about: string;
  readonly positional?: Positional;
  readonly options: Options;
  /** A line or two to copy. */
  readonly examples: readonly string[];
  /** "at once": it has nothing to bring to an end when it is stopped. Default "in order": it hears of it, and ends itself. */
  readonly stops?: "in order" | "at once";
  /** What is left when it was stopped, a sentence. Default: nothing. */
  readonly kept?: string;
  run(args: Arguments, running: Running): Promise<void>;
}

/** What a running command is told from outside. */
export interface Running {
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

/** The values of a command line, read by name and kind. */
export class Arguments {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The option's text, the last where it was given twice. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** All that were given, in order. */
  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The value without a name. */
  positional(value: string, what: string): string {
    const text = this.text(value);
    if (text === undefined) throw new UsageError(`Missing ${value}: ${what}.`);
    return text;
  }

  required(name: string, what: string): string {
    const value = this.text(name);
    if (value === undefined) throw new UsageError(`Missing --${name}: ${what}.`);
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const choice = choices.find((choice) => choice === value);
    if (choice === undefined) {
      throw new UsageError(`Cannot use --${name} ${quote(value)}: wanted is ${choices.join(", ")}.`);
    }
    return choice;
  }

  /** @param least the smallest number allowed */
  number(name: string, what: string, { whole = false, least = -Infinity } = {}): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (value.trim() === "" || !Number.isFinite(number) || number < least || (whole && !Number.isInteger(number))) {
      throw new UsageError(`Cannot use --${name} ${quote(value)}: ${what} was wanted.`);
    }
    return number;
  }
}

export const quote = (text: string) => JSON.stringify(text);

/** @throws UsageError for unknown, incomplete or refused options */
export function parse(options: Options, argv: readonly string[], positional?: Positional): Arguments {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { value }]) => [
      name,
      { type: value === undefined ? "boolean" as const : "string" as const, multiple: true as const },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (positional === undefined) throw new UsageError(`Unexpected ${quote(token.value)}: wanted are --options.`);
      if (values.has(positional.value)) {
        throw new UsageError(`Unexpected ${quote(token.value)}: one ${positional.value} was wanted.`);
      }
      values.set(positional.value, [token.value]);
      continue;
    }
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw new UsageError(`Unknown option ${token.rawName}.${nearest(token.name, options)}`);
    if (option.refused !== undefined) throw new UsageError(`Cannot use --${token.name}: ${option.refused}`);
    if (option.value === undefined && token.value !== undefined) {
      throw new UsageError(`Cannot give --${token.name} a value: it is a switch.`);
    }
    if (option.value !== undefined && token.value === undefined) {
      throw new UsageError(`Missing value of --${token.name}: ${option.value} was wanted.`);
    }
    values.set(token.name, [...values.get(token.name) ?? [], token.value ?? ""]);
  }
  for (const [name, given] of values) {
    if (given.length > 1 && !options[name]?.multiple) {
      throw new UsageError(`Cannot use --${name} ${given.length} times: once was wanted.`);
    }
  }
  return new Arguments(values);
}

/** " Did you mean --steps?" for a name that is a letter or two away. */
function nearest(name: string, options: Options): string {
  const near = Object.keys(options).map((known) => ({ known, distance: distance(name, known) }))
    .filter(({ known, distance }) => distance <= Math.max(1, Math.floor(known.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near.length > 0 ? ` Did you mean --${near[0].known}?` : " --help lists them.";
}

/** Levenshtein's: letters to add, drop or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
  }
  return row[b.length];
}

/** What `--help` prints. Refused options are left out: the help tells what works. */
export function help({ name, about, positional, options, examples }: Command): string {
  const working = Object.entries(options).filter(([, { refused }]) => refused === undefined);
  const left = [
    ...positional ? [`  ${positional.value}`] : [],
    ...working.map(([option, { value }]) => `  --${option}${value === undefined ? "" : ` ${value}`}`),
  ];
  const width = Math.max(...left.map((text) => text.length)) + 2;
  const lines = [...positional ? [positional] : [], ...working.map(([, option]) => option)].map(({ about }, index) =>
    left[index].padEnd(width) + about.replaceAll("\n", "\n" + " ".repeat(width))
  );
  return [
    about,
    "",
    `Usage: deno task ${name} ${positional ? `${positional.value} ` : ""}[options]`,
    "",
    ...lines,
    "",
    "Examples:",
    ...examples.map((example) => `  ${example}`),
  ].join("\n");
}

/**
 * Runs a command.
 *
 * @returns the exit code: 0; 2 for a usage error; 1 for anything else, a stop in order among it
 */
export async function runCommand(
  command: Command,
  argv: readonly string[],
  { signal, say }: Running & { readonly say: (sentence: string) => void },
): Promise<number> {
  try {
    const withHelp: Options = { ...command.options, help: { about: "this text" } };
    if (argv.includes("--help") || argv.includes("-h")) {
      console.log(help({ ...command, options: withHelp }));
    } else {
      const running = command.run(parse(withHelp, argv, command.positional), { signal });
      await (command.stops === "at once" ? Promise.race([running, aborted(signal)]) : running);
    }
    return 0;
  } catch (error) {
    if (Deno.env.get("FEWSTEP_DEBUG")) console.error(error);
    if (signal.aborted && signal.reason instanceof Stopped) {
      say(`Stopped. ${command.kept ?? "Nothing was written."}`);
      return 1;
    }
    say(error instanceof Error ? error.message : String(error));
    return error instanceof UsageError ? 2 : 1;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

/**
 * Runs a command and ends the process with its exit code. An error is one sentence on stderr; its stack only helps the
 * kit's developers, who get it with FEWSTEP_DEBUG set.
 */
export async function main(command: Command, argv: readonly string[] = Deno.args): Promise<never> {
  const { signal } = onInterrupt(); // until the process ends
  Deno.exit(await runCommand(command, argv, { signal, say: (sentence) => console.error(sentence) }));
}
