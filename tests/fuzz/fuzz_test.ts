import { equal, ok } from "../assert.ts";
import { unsaid } from "./cases.ts";
import { fuzz } from "./fuzz.ts";
import { mutateJson, mutatePng, mutateSafetensors } from "./mutate.ts";
import { Random } from "./random.ts";

/** Cases of the suite. `deno task test:fuzz` gives 100,000. */
const CASES = 2000;

Deno.test(`${CASES} wrong files: no crash, no hang, no error that is not a sentence`, async () => {
  const { cases, took, refused, findings } = await fuzz({ from: 0, to: CASES });
  equal(findings.map(({ number, target, why }) => `${number} ${target}: ${why}`), []);
  equal([cases, took + refused], [CASES, CASES]);
  // A fuzzer whose files are all refused at the door tests the door; one whose files all pass changes nothing.
  ok(took > CASES / 10 && refused > CASES / 2, `${took} taken, ${refused} refused`);
});

Deno.test("the fuzzer sees what it looks for", () => {
  equal(unsaid(new RangeError("Cannot open a.json: it is a folder, a file was wanted.")), undefined);
  for (
    const bad of [
      new TypeError("Cannot read properties of undefined (reading '0')."),
      new RangeError("Maximum call stack size exceeded"),
      new Error("Cannot open a:\nit is b."),
      new Error("Cannot open a: it is b"),
      new Error("Cannot open a: undefined is not known."),
      new Error(`Cannot open ${"a".repeat(5000)}.`),
      "Cannot open a.",
    ]
  ) ok(unsaid(bad) !== undefined, String(bad).slice(0, 80));
});

Deno.test("the same number makes the same wrong file, another number another", () => {
  const header = new TextEncoder().encode('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}');
  const file = new Uint8Array(8 + header.length + 8);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  const png = Deno.readFileSync(new URL("../../data/compat/v1/export.png", import.meta.url));
  const made = (seed: number) => [
    mutateJson(new Random(seed), '{"a":[1,2,{"b":"c"}]}'),
    mutateSafetensors(new Random(seed), file),
    mutatePng(new Random(seed), png),
  ];
  for (let seed = 0; seed < 50; seed++) equal(made(seed), made(seed));
  ok(new Set(Array.from({ length: 50 }, (_, seed) => made(seed)[0])).size > 25, "too many equal files");
});
