import { formatReference, parseReference, pathFault } from "../../lib/hub/reference.ts";
import { equal, ok, throwsSentence } from "../assert.ts";

const whole = { repo: "org/name", revision: "main", file: undefined };
const file = { ...whole, file: "a/b c.safetensors" };

Deno.test("a reference is a name, a file in it, a revision of it", () => {
  equal(parseReference("org/name"), whole);
  equal(parseReference("org/name:a/b c.safetensors"), file);
  equal(parseReference("org/name@refs/pr/1:a/b c.safetensors"), { ...file, revision: "refs/pr/1" });
  equal(parseReference("org/name@v1.0"), { ...whole, revision: "v1.0" });
  equal(parseReference("Org_1/na.me-2"), { ...whole, repo: "Org_1/na.me-2" });
});

Deno.test("hf:// and the hub's own pages are read as what they show", () => {
  equal(parseReference("hf://org/name"), whole);
  equal(parseReference("hf://models/org/name@v1/a/b%20c.safetensors"), { ...file, revision: "v1" });
  equal(parseReference("hf://org/name@refs%2Fpr%2F1/a/b c.safetensors"), { ...file, revision: "refs/pr/1" });
  const site = "https://huggingface.co/org/name";
  equal(parseReference(site), whole);
  equal(parseReference(`${site}/`), whole);
  equal(parseReference(`${site}/tree/v1`), { ...whole, revision: "v1" });
  equal(parseReference(`${site}/blob/main/a/b%20c.safetensors`), file);
  equal(parseReference(`${site}/resolve/main/a/b%20c.safetensors?download=true`), file);
  equal(parseReference(`${site}/blob/refs%2Fpr%2F1/a/b%20c.safetensors`), { ...file, revision: "refs/pr/1" });
  equal(parseReference("https://hf.co/org/name"), whole);
  equal(
    parseReference("http://mirror.test:8080/hub/org/name/raw/main/x.json", { endpoint: "http://mirror.test:8080/hub" }),
    { ...whole, file: "x.json" },
  );
});

Deno.test("what a reference is written as reads back as the same", () => {
  for (const text of ["org/name", "org/name:a/b.safetensors", "org/name@v1", "org/name@refs/pr/1:x.json"]) {
    equal(formatReference(parseReference(text)), text);
  }
});

const refused: [text: string, why: RegExp][] = [
  ["", /: "" is not of the form org\/name\. Wanted is org\/name, /],
  ["name", /not of the form/],
  ["a/b/c", /not of the form/],
  ["/etc/passwd", /not of the form/],
  ["../name", /"\.\." is no name on the hub/],
  ["org/..", /"\.\." is no name on the hub/],
  ["org/na--me", /"na--me" is no name/],
  ["org/na..me", /is no name/],
  ["-org/name", /is no name/],
  ["org/name.git", /is no name/],
  ["org/näme", /is no name/],
  ["org\\name", /not of the form/],
  ["C:\\models\\x", /not of the form/],
  [`org/${"n".repeat(93)}`, /the name has 97 letters, the hub allows 96/],
  ["datasets/org/name", /names a data set, not a model/],
  ["hf://spaces/org/name", /names a space/],
  ["org/name:", /the name of the file is empty/],
  ["org/name:/etc/passwd", /"\/etc\/passwd" is an absolute path/],
  ["org/name:a/../../x", /has a "\.\.", which would leave its folder/],
  ["org/name:./x", /has a "\."/],
  ["org/name:a//x", /has an empty folder name/],
  ["org/name:a\\x", /has a backslash/],
  ["org/name:C:/x", /begins with a drive of Windows/],
  ["org/name:a/b:stream", /has a character that no file name may have/],
  ["org/name:a\0", /has a character/],
  ["org/name:a/NUL", /"NUL" is a device of Windows/],
  ["org/name:com1.safetensors", /is a device of Windows/],
  ["org/name:a/x. ", /ends in a dot or a space/],
  [`org/name:${"x".repeat(256)}`, /a name in it has 256 letters/],
  [`org/name:${"x/".repeat(513)}x`, /the path has 1027 letters/],
  ["org/name@", /"" is no branch, tag or commit/],
  ["org/name@../../x", /has a "\.\."/],
  ["org/name@/x", /is an absolute path/],
  ["org/name@a b:x", /"a b" is no branch/],
  ["org/name@a@b:x", /"a@b" is no branch/],
  ["hf://org/name@a@b/x", /more than one @/],
  ["hf://org/name/%2e%2e/x", /has a "\.\."/],
  ["hf://org/name/a%2Fb", /hides a slash/],
  ["hf://org/name/%E0%A4%A", /percent signs do not decode/],
  ["https://evil.test/org/name", /evil\.test is not the hub/],
  ["https://huggingface.co", /not of the form|no page of a model/],
  ["https://huggingface.co/datasets/org/name", /names a data set/],
  ["https://huggingface.co/org/name/tree/main/unet", /the page of a folder/],
  ["https://huggingface.co/org/name/discussions/1", /no page of a model or of its file/],
  ["https://huggingface.co/org/name/blob/main/..%2f..%2fx", /hides a slash/],
  ["https://huggingface.co/org/name/blob/main/a%5cb", /has a backslash/],
  ["https://[", /no valid address/],
];

Deno.test("what is no reference, or would leave the cache, is refused in one sentence", async () => {
  for (const [text, why] of refused) await throwsSentence(() => parseReference(text), why);
});

Deno.test("ordinary names are not mistaken for dangerous ones", () => {
  for (
    const path of ["console.json", "a/com10.txt", "nul_1.bin", ".gitattributes", "a/b-c_d.fp16.safetensors", "é.md"]
  ) {
    equal(pathFault(path), undefined);
  }
  ok(pathFault("aux.h") !== undefined, "aux.h is a device");
});
